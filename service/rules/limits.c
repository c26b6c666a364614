/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "rules/limits.h"

#include "model/model.h"
#include "rules/refuse.h"

const Limits limits_default = {
#define KIND(ENUM, Type, name, names, limit, ...) .names = (limit),
#include "model/kinds.def"
        .portals_per_port = LIMIT_PORTALS_PER_PORT,
        .bytes = (size_t) 16 * 1024 * 1024,
};

/* Where the numbers of a kind are, and what they are called. */
static const struct {
        size_t count, max; /* offsets in ModelCounts and Limits, both unsigned */
        const char *what;  /* NULL: there is no limit of it */
} kinds[_OBJECT_TYPE_MAX] = {
#define KIND(ENUM, Type, name, names, limit, what) \
        [OBJECT_##ENUM] = { offsetof(ModelCounts, names), offsetof(Limits, names), what },
#include "model/kinds.def"
};

bool abilities_any_role(const Abilities *a) {
        return a->roles[ROLE_INITIATOR].available || a->roles[ROLE_TARGET].available;
}

static unsigned number_at(const void *p, size_t offset) {
        return *(const unsigned *) ((const char *) p + offset);
}

bool limit_is_reached(const Model *m, const Abilities *a, ObjectType type) {
        return kinds[type].what && number_at(model_counts(m), kinds[type].count) >= number_at(&a->max, kinds[type].max);
}

int check_limit_of_bytes(const Model *m, const Abilities *a, char **ret_why) {
        size_t bytes = model_counts(m)->bytes;

        if (a->max.bytes == 0 || bytes < a->max.bytes)
                return 0;

        return refuse(REFUSAL_LIMIT_REACHED, ret_why,
                      "The list of all objects has reached its limit of %zu KiB; delete some objects first", bytes / 1024);
}

int check_limits(const Model *m, const Abilities *a, ObjectType type, char **ret_why) {
        int r;

        r = check_limit_of_bytes(m, a, ret_why);
        if (r != 0 || !limit_is_reached(m, a, type))
                return r;

        return refuse(REFUSAL_LIMIT_REACHED, ret_why, "There are %u %s, which is the limit; delete one first",
                      number_at(model_counts(m), kinds[type].count), kinds[type].what);
}
