"""Settings by subject, and the types and ranges of all settings; `config` has the others."""
