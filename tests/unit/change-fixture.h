/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the tests of changes share: a small host with something of everything, in a real store and in a model that was loaded from
 * it. */

#include "change/plan.h"
#include "intent-fixture.h"

#define ROOT "/org/iscsi/ConfigurationService"
#define NAME_A "iqn.2001-04.com.example:a" /* both roles */
#define NAME_B "iqn.2001-04.com.example:b" /* a target */
#define NAME_C "iqn.2001-04.com.example:c" /* a target, ends with this boot of the host */
#define NAME_U "iqn.2001-04.com.example:u" /* a target that another program made */
#define PATH_A ROOT "/node/iqn_2e2001_2d04_2ecom_2eexample_3aa"
#define PATH_B ROOT "/node/iqn_2e2001_2d04_2ecom_2eexample_3ab"
#define PATH_C ROOT "/node/iqn_2e2001_2d04_2ecom_2eexample_3ac"
#define PATH_U ROOT "/node/iqn_2e2001_2d04_2ecom_2eexample_3au"
#define PATH_A1 PATH_A "/endpoint/000000000001"
#define PATH_AI PATH_A "/endpoint/00023D000001"
#define PATH_B1 PATH_B "/endpoint/000000000001"
#define PATH_C1 PATH_C "/endpoint/000000000001"
#define IP(n) ROOT "/ip/_310_2e0_2e0_2e" n
#define IP_DECLARED ROOT "/ip/_3192_2e0_2e2_2e9"
#define TCP(n, port) ROOT "/tcp/_310_2e0_2e0_2e" n "_3a" port
#define GROUP(n) ROOT "/portal_group/" n

/* Addresses       10.0.0.1, 10.0.0.2, 10.0.0.3; 192.0.2.9 is declared
 * made portals    10.0.0.1:860 and 10.0.0.2:860 in groups 1 and 3; 10.0.0.3:5000 in the group "default";
 *                 10.0.0.3:5001 in groups 2 and 3
 * groups          1 "fast", 2 "more", 3 "both", 4 "empty"
 * ports of A      1 on 10.0.0.1:860 and 10.0.0.2:860; an initiator's, 00023D000001, on 10.0.0.1 and 10.0.0.2
 * port of B       1 on 10.0.0.1:3260, 10.0.0.2:3260 and 10.0.0.3:3260
 * port of C       1 on 10.0.0.1:3260
 * port of U       1 on 10.0.0.3:3260 */
typedef struct ChangeWorld {
        Context context;
        char *directory; /* of the store */
        GString *told;   /* "+ <path>", "- <path>", "~ <path> <property>…", a line each */
        bool opened;
        bool committed;
        int result;
} ChangeWorld;

ChangeWorld *change_world_new(void);

/* What DIRECTORY, which is taken, has in its store, as after a restart: no address of the host is there. Load errors end the
 * test. */
ChangeWorld *change_world_open(char *directory);
void change_world_free(ChangeWorld *w);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ChangeWorld, change_world_free)

/* Stores CHANGE, which is taken, and waits for the result. */
int change_world_commit(ChangeWorld *w, StoreChange *change);

/* Plans, stores and settles; all of it must work. */
void change_world_do(ChangeWorld *w, const Method *m, const char *arguments);

/* All objects, sorted, a line each. EVERYTHING: also what a restart loses: states, reservations, what is published, and the
 * counts. */
char *model_dump(Model *m, bool everything);

/* All that is in the file, sorted. */
char *change_world_store_dump(const ChangeWorld *w);

Node *world_node(ChangeWorld *w, const char *name);
Port *world_port(ChangeWorld *w, const char *node, uint64_t identifier);
