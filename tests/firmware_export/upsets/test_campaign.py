import dataclasses
import json
import shutil

import exporting
import row_models

from firmware_export.common.errors import UserError
from firmware_export.upsets import campaign, folder, processor
from firmware_export.upsets.campaign import Exposed
from firmware_export.upsets.outcomes import Outcome


def test_every_region_is_there(result):
    regions = {(region.engine, region.name) for region in result.regions}
    assert {("row engine", "weights"), ("row engine", "activations"), ("TFLM", "model: weights")} <= regions
    assert result.engines == ("row engine", "TFLM")
    assert (("row engine", "registers") in regions) is (processor.missing_tools() is None)
    assert ("TFLM", "arena, between images") in regions
    for region in result.regions:
        slow = region.engine == "TFLM" or region.name in (processor.REGISTERS, processor.STACK)
        assert region.tally.injections == (20 if slow else 200)


def test_counts_by_layer_and_bit_add_up(result):
    for region in result.regions:
        for groups in (result.layers, result.bits):
            if region.name in groups:
                found = groups[region.name].values()
                assert sum(tally.injections for tally in found) == region.tally.injections
                for outcome, count in region.tally.counts.items():
                    assert sum(tally.counts[outcome] for tally in found) == count
    assert list(result.bits["weights"]) == [f"{bit} of 8" for bit in range(8)]


def test_every_bit_is_exposed_once(result, exported):
    report = exported.report["rows"]
    always = sum(each.bits for each in result.exposures("row engine") if each.is_always)
    assert always == 8 * report["constants_bytes"]
    tflm_bits = 8 * (len(exported.model) + exported.report["arena_bytes"])
    assert sum(each.bits for each in result.exposures("TFLM")) == tflm_bits
    counted = [region for region in result.regions if region.exposed is Exposed.OTHERWISE_COUNTED]
    assert [region.name for region in counted] == ["model: graph, before preparation"]
    for usual, highest in zip(result.exposures("TFLM"), result.exposures("TFLM", highest=True), strict=True):
        assert usual.wrong < highest.wrong


def test_an_arena_that_is_not_found_is_left_out(exported, tmp_path, monkeypatch):
    def find(*_):
        raise UserError("TFLM's arena: not here")

    monkeypatch.setattr("firmware_export.upsets.arena.find", find)
    found = campaign.run(exported, campaign.Settings(samples=1, slow_samples=1, seed=0, jobs=1, work=tmp_path))
    assert "TFLM's arena: not here" in found.left_out
    assert "arena, between images" not in {region.name for region in found.regions}


def test_the_same_seed_gives_the_same_result_and_journals_are_used(exported, tmp_path, monkeypatch):
    settings = campaign.Settings(samples=20, slow_samples=0, seed=4, jobs=1, work=tmp_path)
    first = campaign.run(exported, settings)
    assert campaign.run(exported, dataclasses.replace(settings, jobs=2)) == first
    folders = [path for path in tmp_path.iterdir() if path.name != "programs"]
    assert len(folders) == 1
    assert "registers and stack: --slow-samples 0" in first.left_out
    shutil.rmtree(folders[0])
    assert campaign.run(exported, settings) == first


def test_json(result):
    written = json.loads(json.dumps(campaign.as_dict(result)))
    assert written["sha256"] == result.sha256
    assert {region["region"] for region in written["regions"]} == {region.name for region in result.regions}
    assert [campaign.region_from_dict(region) for region in written["regions"]] == list(result.regions)


def test_each_other_output_of_a_detector_is_wrong(tmp_path):
    model = row_models.model(lambda builder, given: builder.dense(builder.mean(given), 1, "NONE"), (1, 6, 5, 3))
    exporting.export(model, tmp_path / "detector", engine="both")
    detector = folder.read(tmp_path / "detector", "detector")
    found = campaign.run(detector, campaign.Settings(samples=50, slow_samples=4, seed=0, jobs=2, work=tmp_path))
    assert not found.has_classes
    assert "no classifier" in found.note
    assert not campaign.as_dict(found)["has_classes"]
    assert found.engines == ("row engine", "TFLM")
    assert not any(region.tally.counts[Outcome.DIFFERS] for region in found.regions)
    assert any(region.tally.counts[Outcome.WRONG] for region in found.regions)


def test_a_classifier_keeps_its_class(result):
    assert result.has_classes
    assert result.note is None
    assert any(region.tally.counts[Outcome.DIFFERS] for region in result.regions)
