/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the tests of the rules share: a small host with something of everything. */

#include "model-fixture.h"

#define NODE_A "iqn.2001-04.com.example:a" /* both roles */
#define NODE_T "iqn.2001-04.com.example:t" /* a target alone */
#define NODE_I "iqn.2001-04.com.example:i" /* an initiator alone */
#define NODE_U "iqn.2001-04.com.example:u" /* both roles, made by another program */

/* Addresses       10.0.0.1, 10.0.0.2, 10.0.0.3 and ::, each with its portal on 3260 in group 0
 * made portals    10.0.0.1:860 in groups 1 and 2; 10.0.0.3:860 in group 1; 10.0.0.1:5000 in none; 10.0.0.1:5001 in group 0
 *                 10.0.9.9:860 and 10.0.9.9:861 in group 0, whose address is not there
 * groups          0 "default"; 1 "fast"; 2 "both" with 10.0.0.1:3260 too; 3 "empty"
 * ports of A      1 on 10.0.0.2:3260; an initiator's, 00023D000001, on 10.0.0.2
 * ports of T      2 on 10.0.0.2:3260 and 10.0.0.3:3260
 * port of U       1 on [::]:3260 and 10.0.0.3:860, an initiator's, 00023D000002, on 10.0.0.3 */
typedef struct World {
        Recorder *r;
        Model *model;
        Abilities abilities; /* all of them */
} World;

World *world_new(void);
void world_free(World *w);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(World, world_free)

/* What a caller named; TEXT must outlive it. */
Reference reference(World *w, const char *text);
