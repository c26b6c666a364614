/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "objects/getter.h"

#include "model/state.h"

int write_bound_ports(ValueWriter *w, const Binding *list) {
        int r;

        for (const Binding *b = list; b; b = b->next_of_endpoint)
                if (b->port->object.path && !b->pending) {
                        r = value_path(w, b->port->object.path);
                        if (r < 0)
                                return r;
                }

        return 0;
}

int write_roles(ValueWriter *w, unsigned roles) {
        uint16_t list[2];
        size_t n = 0;

        FOR_EACH_ROLE(role)
                if (roles & ROLE_BIT(role))
                        list[n++] = role;

        return value_uint16s(w, list, n);
}

int write_enabled_state(ValueWriter *w, ObjectState state) {
        return value_uint16(w, state_enabled(state));
}

int write_operational_status(ValueWriter *w, ObjectState state) {
        uint16_t status = state_operational(state);

        return value_uint16s(w, &status, 1);
}

int write_status_descriptions(ValueWriter *w, ObjectState state, const char *description) {
        return value_optional_text(w, state_text(state, description));
}
