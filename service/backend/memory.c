/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "backend/backend.h"

#include <errno.h>

#include "backend/base.h"
#include "common/log.h"

static void model_turn(Backend *b) {
        Observation nothing = {};
        BackendResult result = {};
        BackendCall *c;

        c = backend_take_call(b);
        if (!c)
                return;

        if (b->queue && backend_wake(b) < 0)
                (void) log_oom();

        if (c->verb == BACKEND_OBSERVE)
                result.observation = &nothing;

        backend_call_finish(c, &result);
        observation_done(&nothing);
}

static void model_free(Backend *b) {
        free(b);
}

static const BackendOps model_ops = {
        .turn = model_turn,
        .free = model_free,
};

int backend_new_model(sd_event *event, bool selects_identifiers, Backend **ret) {
        _cleanup_(backend_freep) Backend *b = NULL;
        int r;

        b = calloc(1, sizeof(*b));
        if (!b)
                return -ENOMEM;

        r = backend_init(b, &model_ops, event, "model", selects_identifiers);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(b);
        return 0;
}
