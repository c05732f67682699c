"""A model of a camera: disturbances of images, with severities in physical units.

All functions take uint8 or float images [N, H, W, C] in 0..255. Functions that draw random numbers take one seed per
image: the same image and seed always give the same result, whatever other images are in the batch. A severity is one
number, one per image [N], or one per image and band [N, C].
"""
