{% include "rows/provenance.txt" %}

{% if bounds.reason %}
/* Stack and time of the functions in {{ prefix }}_model.h: not measured, so this header defines nothing. The reason:
     {{ reason }} */
{% else %}
/* Stack and time of the functions in {{ prefix }}_model.h on an emulated {{ bounds.core }} ({{ bounds.machine }}).
     compiler: {{ bounds.compiler }}
     flags: {{ flags }}
     emulator: {{ bounds.emulator }}

   Stack is the deepest chain of calls in the linked program, by the compiler's frame sizes. No call is recursive or through a
   pointer. The frames of the caller and of interrupts come on top.

   Instructions are the most that {{ bounds.images }} golden vectors took, rounded up: measured, not proven. All loops are bounded by constants
   of the model, and few instructions depend on the pixels: all calls for one of these images took {{ bounds.instructions.image.least }} to
   {{ bounds.instructions.image.most }}. Time depends on the part: an instruction may take several cycles, and memory adds wait states.

   With another compiler, other flags or another core, measure again. */
{% endif %}

#ifndef {{ macros }}_BOUNDS_H
#define {{ macros }}_BOUNDS_H
{% if not bounds.reason %}

/* Bytes of stack. */
#define {{ macros }}_STACK_BYTES_{{ core }} {{ stack }} /* any function of {{ prefix }}_model.h */
#define {{ macros }}_SELF_TEST_STACK_BYTES_{{ core }} {{ bounds.stack_bytes.self_test }}

/* Instructions. */
#define {{ macros }}_LONGEST_PUSH_INSTRUCTIONS_{{ core }} {{ bounds.instructions.push_row.most }} /* one call of {{ prefix }}_push_row */
#define {{ macros }}_IMAGE_INSTRUCTIONS_{{ core }} {{ bounds.instructions.image.most }} /* all calls for one image */
#define {{ macros }}_BEGIN_INSTRUCTIONS_{{ core }} {{ bounds.instructions.begin.most }}
#define {{ macros }}_FINISH_INSTRUCTIONS_{{ core }} {{ bounds.instructions.finish.most }}
#define {{ macros }}_VERIFY_INSTRUCTIONS_{{ core }} {{ bounds.instructions.verify.most }}
#define {{ macros }}_SCRUB_{{ scrub_bytes }}_INSTRUCTIONS_{{ core }} {{ bounds.instructions.scrub_step.most }} /* {{ prefix }}_scrub_step of {{ scrub_bytes }} bytes */
{% endif %}

#endif /* {{ macros }}_BOUNDS_H */
