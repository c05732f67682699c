"""Tools for all other folders of both packages: errors, files, command lines, C text, tables."""
