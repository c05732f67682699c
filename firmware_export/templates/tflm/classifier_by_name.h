{% include "provenance.txt" %}
//
// classifier.h under a name that is unique to this model. It includes the classifier.h in its own folder.

#include "classifier.h"
