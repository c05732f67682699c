{% include "provenance.txt" %}

#ifndef {{ guard }}
#define {{ guard }}

#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"

namespace {{ namespace }} {

// Exactly the model's operators, so that no other operator is linked.
using OpResolver = tflite::MicroMutableOpResolver<{{ methods | length }}>;

// Call it once, before the interpreter is constructed. Returns kTfLiteOk, or the status of the operator that failed.
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
