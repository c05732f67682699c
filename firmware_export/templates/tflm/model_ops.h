{% include "provenance.txt" %}

#ifndef {{ guard }}
#define {{ guard }}

#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"

{% if int8_operators %}
// Registrations that link kernels for int8 alone: with CMSIS-NN they save the code for int16 and int4. The outputs are
// the same. A TensorFlow Lite Micro without one of these functions gets the registration for all types from here: a
// compiler prefers a function that is no template.
namespace all_types_of_{{ namespace }} {
{% for name in int8_operators %}
template <int kUnused = 0>
auto Register_{{ name }}_INT8() {
  return tflite::Register_{{ name }}();
}
{% endfor %}
}  // namespace all_types_of_{{ namespace }}

{% endif %}
namespace {{ namespace }} {

// Exactly the model's operators, so that no other operator is linked.
using OpResolver = tflite::MicroMutableOpResolver<{{ methods | length }}>;

// Call it once, before the interpreter is constructed. Returns kTfLiteOk, or the status of the operator that failed.
[[nodiscard]] inline TfLiteStatus RegisterOps(OpResolver& resolver) {
{% if int8_operators %}
  using namespace tflite;
  using namespace all_types_of_{{ namespace }};
{% endif %}
  TfLiteStatus status = kTfLiteOk;
{% for method, name in methods %}
  status = resolver.{{ method }}({{ "Register_" ~ name ~ "_INT8()" if name in int8_operators }});
  if (status != kTfLiteOk) return status;
{% endfor %}
  return status;
}

}  // namespace {{ namespace }}

#endif  // {{ guard }}
