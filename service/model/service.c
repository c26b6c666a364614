/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "model/service.h"

#include <errno.h>
#include <string.h>

#include "model/object.h"
#include "model/private.h"

Service *model_service(Model *m) {
        return &m->service;
}

int model_set_notice(Model *m, NoticeTopic topic, const char *text) {
        char **notice = m->service.notices + topic, *copy = NULL;

        if (strcmp(*notice ? *notice : "", text ? text : "") == 0)
                return 0;
        if (text) {
                copy = strdup(text);
                if (!copy)
                        return -ENOMEM;
        }

        free(*notice);
        *notice = copy;
        object_tell_changed(m, &m->service.object, "StatusDescriptions");
        return 0;
}

void model_set_drift_policy(Model *m, DriftPolicy policy) {
        if (m->service.drift == policy)
                return;

        m->service.drift = policy;
        object_tell_changed(m, &m->service.object, "DriftPolicy");
}
