/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "change/context.h"

int context_takes_changes(const Context *c, char **ret_why) {
        const StoreFault *fault = store_fault(c->store);

        if (fault)
                return refuse(REFUSAL_STORE_UNAVAILABLE, ret_why, "%s", fault->why);
        if (!c->ready)
                return refuse(REFUSAL_BUSY, ret_why, "The service is starting; call again in a moment");

        return 0;
}
