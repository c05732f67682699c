"""A camera between scene and model: every disturbance of images with its severity in physical units.

All functions take uint8 or float images [N, H, W, C] in 0..255 and, where they draw random numbers, one seed an image:
an image with its seed is disturbed in the same way whatever other images are in the batch. Severities are one number,
one an image [N], or one an image and band [N, C].
"""
