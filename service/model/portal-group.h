/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Portal groups (SystemSpecificCollection). Who is in one: see endpoint.h. */

#include "model/kinds.h"

PortalGroup *model_find_portal_group(Model *m, uint64_t id);
PortalGroup *model_first_portal_group(Model *m); /* the next one is in hh.next */

/* 0, -EEXIST or -ENOMEM. */
int model_add_portal_group(Model *m, uint64_t id, const char *element_name, PortalGroup **ret);

/* For the model's own files: takes an empty group out. */
void portal_group_free(Model *m, PortalGroup *g);
