// Generated, do not edit. To generate it again:
//   python -m firmware_export model.tflite --out firmware
// keras_satkd 1.2.3, from a model of 840 bytes with
//   SHA-256 9173aef6e59c686e89ecd980da7478dc8e15f45d26bd763669f85ba361af1c20
//   CRC-32  0x1c8ecd5a
//
// classifier.h under a name that is unique to this model. It includes the classifier.h in its own folder.

#include "classifier.h"
