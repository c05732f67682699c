{% include "provenance.txt" %}
//
// classifier.h under a name that no other model's folder has; it finds the one beside it whatever else is searched.

#include "classifier.h"
