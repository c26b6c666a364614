/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "change/method.h"

#include <string.h>

size_t argument_specs_count(const ArgumentSpec *specs) {
        size_t n = 0;

        while (specs && specs[n].name)
                n++;
        return n;
}

const Method *method_find(const char *name) {
        for (const Method *const *m = methods; *m; m++)
                if (strcmp((*m)->name, name) == 0)
                        return *m;

        return NULL;
}

uint32_t method_code(const Method *m, Refusal r) {
        if (r == REFUSAL_NONE)
                return 0;
        if (refusal_common_code(r))
                return refusal_common_code(r);

        for (size_t i = 0; i < m->n_codes; i++)
                if (m->codes[i].refusal == r)
                        return m->codes[i].code;

        return refusal_common_code(REFUSAL_UNSPECIFIED);
}
