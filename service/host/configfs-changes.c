/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "host/configfs-changes.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#define uthash_malloc(size) calloc(1, size)
#include <uthash.h>

/* More nodes than this are told as NULL: whoever looks at so many may as well look at all, and the memory stays bounded. */
#define NODES_MAX 1024u

/* Calls in one turn of the event loop. */
#define CALLS_MAX 64u

typedef struct Changed {
        UT_hash_handle hh;
        char node[];
} Changed;

struct ConfigfsChanges {
        sd_event *event;
        sd_event_source *due;
        configfs_watch_changed_t changed;
        void *userdata;
        uint64_t quiet_usec;
        uint64_t late_usec;
        uint64_t first; /* when the oldest change that is not told came, CLOCK_MONOTONIC; 0: there is none */
        bool all;
        Changed *nodes; /* in the order in which they came */
};

static void changed_free(ConfigfsChanges *c, Changed *e) {
        HASH_DELETE(hh, c->nodes, e);
        free(e);
}

static void forget_nodes(ConfigfsChanges *c) {
        Changed *e, *next;

        HASH_ITER(hh, c->nodes, e, next)
                changed_free(c, e);
}

static int on_due(sd_event_source *s, uint64_t usec, void *userdata) {
        ConfigfsChanges *c = userdata;

        if (c->all) {
                c->all = false;
                c->first = 0;
                c->changed(NULL, c->userdata);
                return 0;
        }

        for (unsigned i = 0; i < CALLS_MAX && c->nodes; i++) {
                Changed *e = c->nodes;

                HASH_DELETE(hh, c->nodes, e);
                c->changed(e->node, c->userdata);
                free(e);
        }

        if (!c->nodes) {
                c->first = 0;
                return 0;
        }
        (void) sd_event_source_set_time(s, usec); /* past: the rest comes in the next turn */
        return sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

int configfs_changes_new(sd_event *event, unsigned quiet_msec, unsigned late_msec, configfs_watch_changed_t changed,
                         void *userdata, ConfigfsChanges **ret) {
        _cleanup_(configfs_changes_freep) ConfigfsChanges *c = NULL;
        int r;

        c = calloc(1, sizeof(*c));
        if (!c)
                return -ENOMEM;

        c->event = sd_event_ref(event);
        c->changed = changed;
        c->userdata = userdata;
        c->quiet_usec = quiet_msec * UINT64_C(1000);
        c->late_usec = late_msec * UINT64_C(1000);

        r = sd_event_add_time(event, &c->due, CLOCK_MONOTONIC, 0, 1000, on_due, c);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(c->due, "configfs-changes");
        r = sd_event_source_set_enabled(c->due, SD_EVENT_OFF);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(c);
        return 0;
}

ConfigfsChanges *configfs_changes_free(ConfigfsChanges *c) {
        if (!c)
                return NULL;

        forget_nodes(c);
        (void) sd_event_source_disable_unref(c->due);
        (void) sd_event_unref(c->event);
        free(c);
        return NULL;
}

/* Returns false if NODE cannot be kept. */
static bool keep_node(ConfigfsChanges *c, const char *node) {
        size_t n = strlen(node);
        Changed *e;

        HASH_FIND(hh, c->nodes, node, n, e);
        if (e)
                return true;
        if (HASH_COUNT(c->nodes) >= NODES_MAX)
                return false;

        e = calloc(1, sizeof(*e) + n + 1);
        if (!e)
                return false;
        memcpy(e->node, node, n);
        HASH_ADD_KEYPTR(hh, c->nodes, e->node, n, e);
        if (!e->hh.tbl) {
                free(e);
                return false;
        }
        return true;
}

void configfs_changes_add(ConfigfsChanges *c, const char *node) {
        uint64_t now, due;

        if (!c->all && (!node || !keep_node(c, node))) {
                forget_nodes(c);
                c->all = true;
        }

        if (sd_event_now(c->event, CLOCK_MONOTONIC, &now) < 0)
                now = 0; /* told at once */
        if (c->first == 0)
                c->first = now;
        due = MIN2(now + c->quiet_usec, c->first + c->late_usec);
        (void) sd_event_source_set_time(c->due, due);
        (void) sd_event_source_set_enabled(c->due, SD_EVENT_ONESHOT);
}
