"""Tools that every other folder of both packages uses: errors, files, command lines, C text, tables."""
