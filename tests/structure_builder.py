"""Int8 models of the operators that move codes, built directly as flatbuffers."""

import math

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from int8_graphs import Activation, GraphBuilder

_OPTIONS = schema.BuiltinOptions


class StructureBuilder(GraphBuilder):
    """`GraphBuilder` with the operators that move codes."""

    def _indices(self, values):
        return self.constant(np.array(values, np.int32))

    def expand_dims(self, given, axis):
        shape = list(given.shape)
        shape.insert(axis % (len(shape) + 1), 1)
        output = self.activation(shape, given.quantization)
        inputs = [given.index, self._indices(axis)]
        return self.operator("EXPAND_DIMS", inputs, output, schema.ExpandDimsOptionsT(), _OPTIONS.ExpandDimsOptions)

    def squeeze(self, given, axes):
        shape = [size for i, size in enumerate(given.shape) if i not in axes]
        options = schema.SqueezeOptionsT(squeezeDims=list(axes))
        output = self.activation(shape, given.quantization)
        return self.operator("SQUEEZE", [given.index], output, options, _OPTIONS.SqueezeOptions)

    def mean_over(self, given, axes, *, keeps_rank):
        named = {axis % len(given.shape) for axis in axes}
        kept = [1 if i in named else size for i, size in enumerate(given.shape)]
        shape = kept if keeps_rank else [size for i, size in enumerate(given.shape) if i not in named]
        output = self.activation(shape, (given.scale * self.random.uniform(0.2, 1.2), self._zero_point()))
        options = schema.ReducerOptionsT(keepDims=keeps_rank)
        inputs = [given.index, self._indices(axes)]
        return self.operator("MEAN", inputs, output, options, _OPTIONS.ReducerOptions)

    def _zero_point(self):
        return int(self.random.integers(-128, 128))

    def transpose(self, given, order):
        output = self.activation([given.shape[axis] for axis in order], given.quantization)
        inputs = [given.index, self._indices(order)]
        return self.operator("TRANSPOSE", inputs, output, schema.TransposeOptionsT(), _OPTIONS.TransposeOptions)

    def concatenation(self, given, axis):
        shape = list(given[0].shape)
        shape[axis] = sum(tensor.shape[axis] for tensor in given)
        output = self.activation(shape, given[0].quantization)
        options = schema.ConcatenationOptionsT(axis=axis)
        inputs = [tensor.index for tensor in given]
        return self.operator("CONCATENATION", inputs, output, options, _OPTIONS.ConcatenationOptions)

    def strided_slice(self, given, slices, shrunk=()):
        """`slices`: for each dimension; None as in Python. `shrunk`: dimensions of which one index is chosen."""
        chosen = [range(*found.indices(size)) for found, size in zip(slices, given.shape, strict=True)]
        shape = [len(found) for i, found in enumerate(chosen) if i not in shrunk]
        output = self.activation(shape, given.quantization)
        bounds = [
            [(getattr(found, part) if getattr(found, part) is not None else default) for found in slices]
            for part, default in (("start", 0), ("stop", 0), ("step", 1))
        ]
        masks = [
            sum(1 << i for i, found in enumerate(slices) if getattr(found, part) is None) for part in ("start", "stop")
        ]
        options = schema.StridedSliceOptionsT(
            beginMask=masks[0], endMask=masks[1], shrinkAxisMask=sum(1 << i for i in shrunk)
        )
        inputs = [given.index, *map(self._indices, bounds)]
        return self.operator("STRIDED_SLICE", inputs, output, options, _OPTIONS.StridedSliceOptions)

    def slice(self, given, begins, sizes):
        shape = [
            length - begin if size == -1 else size
            for begin, size, length in zip(begins, sizes, given.shape, strict=True)
        ]
        output = self.activation(shape, given.quantization)
        inputs = [given.index, self._indices(begins), self._indices(sizes)]
        return self.operator("SLICE", inputs, output, schema.SliceOptionsT(), _OPTIONS.SliceOptions)

    def split(self, given, axis, parts):
        """SPLIT into a number of equal parts, or SPLIT_V into parts of given sizes; all outputs."""
        is_equal = isinstance(parts, int)
        sizes = [given.shape[axis] // parts] * parts if is_equal else parts
        shapes = [[size if i == axis % len(given.shape) else n for i, n in enumerate(given.shape)] for size in sizes]
        outputs = [self.activation(shape, given.quantization) for shape in shapes]
        if is_equal:
            inputs, options = [self._indices(axis), given.index], schema.SplitOptionsT(numSplits=parts)
            self.operator("SPLIT", inputs, outputs[0], options, _OPTIONS.SplitOptions)
        else:
            inputs = [given.index, self._indices(sizes), self._indices(axis)]
            options = schema.SplitVOptionsT(numSplits=len(sizes))
            self.operator("SPLIT_V", inputs, outputs[0], options, _OPTIONS.SplitVOptions)
        self.operators[-1].outputs = [output.index for output in outputs]
        return outputs

    def resize(self, given, size, *, aligns, centers):
        output = self.activation((1, *size, given.shape[3]), given.quantization)
        options = schema.ResizeNearestNeighborOptionsT(alignCorners=aligns, halfPixelCenters=centers)
        inputs = [given.index, self._indices(size)]
        return self.operator("RESIZE_NEAREST_NEIGHBOR", inputs, output, options, _OPTIONS.ResizeNearestNeighborOptions)

    def dilated(self, given, channels, kernel, strides, dilation, padding, activation, *, multiplier=None, **weighted):
        """CONV_2D or DEPTHWISE_CONV_2D, as `convolution` makes them, with gaps between the taps."""
        spans = [(taps - 1) * gap + 1 for taps, gap in zip(kernel, dilation, strict=True)]
        output = self.convolution(
            given, channels, kernel, strides, "SAME", activation, multiplier=multiplier, **weighted
        )
        options = self.operators[-1].builtinOptions
        options.dilationHFactor, options.dilationWFactor = dilation
        if padding == "SAME":
            return output
        options.padding = schema.Padding.VALID
        size = [(n - span) // s + 1 for n, span, s in zip(given.shape[1:3], spans, strides, strict=True)]
        shape = (1, *size, channels)
        self.tensors[output.index].shape = list(shape)
        return Activation(output.index, shape, output.scale, output.zero_point)

    def transposed(self, given, channels, kernel, strides, size, padding, *, by_channel, has_bias):
        """TRANSPOSE_CONV to rows and columns `size`."""
        weights, scales = self._weights((channels, *kernel, given.shape[3]), channels if by_channel else 1)
        taps = given.shape[3] * math.prod(-(-k // s) for k, s in zip(kernel, strides, strict=True))
        shape = (1, *size, channels)
        output = self.activation(shape, self._range(given, scales, taps))
        inputs = [self._indices(shape), self.constant(weights, scales), given.index]
        if has_bias:
            inputs.append(self._bias(channels, taps, given.scale * scales))
        options = schema.TransposeConvOptionsT(
            padding=getattr(schema.Padding, padding), strideH=strides[0], strideW=strides[1]
        )
        return self.operator("TRANSPOSE_CONV", inputs, output, options, _OPTIONS.TransposeConvOptions)

    def model_of(self, given, outputs):
        """The bytes of a model of several outputs."""
        content = schema.ModelT.InitFromPackedBuf(self.model(given, outputs[0]))
        content.subgraphs[0].outputs = [output.index for output in outputs]
        packed = flatbuffers.Builder(1024)
        packed.Finish(content.Pack(packed), file_identifier=b"TFL3")
        return bytes(packed.Output())
