/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "common/verbs.h"

#include <string.h>

static const VerbInfo verbs[_VERB_MAX] = {
#define VERB(id, function, name, takes, effect, refusals) [VERB_##id] = { name, takes, effect, (refusals) | VERB_REFUSALS_ANY },
#include "common/verbs.def"
};

const VerbInfo *verb_info(Verb v) {
        return verbs + v;
}

Verb verb_from_name(const char *name) {
        Verb v;

        for (v = 0; v < _VERB_MAX; v++)
                if (strcmp(verbs[v].name, name) == 0)
                        break;
        return v;
}
