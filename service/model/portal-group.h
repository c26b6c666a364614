/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Portal groups (SystemSpecificCollection). Who is in one: see tcp-endpoint.h. */

#include "model/kinds.h"

PortalGroup *model_find_portal_group(Model *m, uint64_t id);

/* 0, -EEXIST or -ENOMEM. */
int model_add_portal_group(Model *m, uint64_t id, const char *element_name, PortalGroup **ret);

/* As model_add_member(); the portal becomes an automatic endpoint if there is none. -ENOENT: G is NULL. */
int model_add_member_by_portal(Model *m, PortalGroup *g, const Portal *portal);
