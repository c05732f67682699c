{% include "provenance.txt" %}

#ifndef {{ guard }}
#define {{ guard }}

#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"

namespace {{ namespace }} {

// Exactly the model's operators: nothing else is linked in.
using OpResolver = tflite::MicroMutableOpResolver<{{ methods | length }}>;

// Call it once, before the interpreter is made. kTfLiteOk, or the status of the operator that could not be added.
[[nodiscard]] inline TfLiteStatus RegisterOps(OpResolver& resolver) {
  TfLiteStatus status = kTfLiteOk;
{% for method in methods %}
  status = resolver.{{ method }}();
  if (status != kTfLiteOk) return status;
{% endfor %}
  return status;
}

}  // namespace {{ namespace }}

#endif  // {{ guard }}
