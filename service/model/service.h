/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The service's own object: what administrators should know of the service as a whole. */

#include "model/kinds.h"

Service *model_service(Model *m);

/* TEXT is copied; NULL takes the topic's text away. Returns 0 or -ENOMEM. */
int model_set_notice(Model *m, NoticeTopic topic, const char *text);
void model_set_drift_policy(Model *m, DriftPolicy policy);
