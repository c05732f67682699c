"""The one reader of images: folders, zips and arrays, decoded the same way for every purpose."""
