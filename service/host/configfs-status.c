/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "host/configfs-status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

#define BIT(trouble) (1u << (trouble))

void configfs_status_set(ConfigfsStatus *s, ConfigfsTrouble trouble, bool on) {
        s->troubles = on ? s->troubles | BIT(trouble) : s->troubles & ~BIT(trouble);
}

bool configfs_status_has(const ConfigfsStatus *s, ConfigfsTrouble trouble) {
        return s->troubles & BIT(trouble);
}

bool configfs_status_is_blind(const ConfigfsStatus *s) {
        return s->troubles & ~BIT(CONFIGFS_TROUBLE_ABSENT);
}

/* What is wrong, without what follows from it. Returns less than 0 when out of memory. */
static int cause_to_text(const ConfigfsStatus *s, char **ret) {
        if (configfs_status_has(s, CONFIGFS_TROUBLE_NO_INSTANCE))
                return asprintf(ret, "The kernel's target cannot be followed with inotify: %s%s", strerror(s->instance_error),
                                s->instance_error == EMFILE
                                        ? " (limits: the files of this process, sysctl fs.inotify.max_user_instances)"
                                        : "");
        if (configfs_status_has(s, CONFIGFS_TROUBLE_STUCK))
                return asprintf(ret, "The kernel does not answer about %s, as when a removal hangs in it", s->stuck_at);
        if (configfs_status_has(s, CONFIGFS_TROUBLE_LIMIT))
                return asprintf(ret,
                                "The inotify watches of this user ran out (the limit is sysctl fs.inotify.max_user_watches)");
        if (configfs_status_has(s, CONFIGFS_TROUBLE_REFUSED))
                return asprintf(ret, "Directories below %s cannot be watched: %s", s->engine, strerror(s->refused_error));
        if (s->lost_error == EOVERFLOW)
                return asprintf(ret,
                                "The kernel dropped notices of changes (it keeps sysctl fs.inotify.max_queued_events of them)");
        return asprintf(ret, "Notices of changes were lost: %s", strerror(s->lost_error));
}

static char *status_to_text(const ConfigfsStatus *s) {
        _cleanup_free_ char *cause = NULL;
        char *text;
        int r;

        if (configfs_status_is_blind(s)) {
                if (cause_to_text(s, &cause) < 0)
                        return NULL;
                r = asprintf(&text, "%s; changes made by other programs are looked for every %u s", cause, s->seconds);
        } else
                r = asprintf(&text,
                             "%s does not exist, it is looked for every %u s: mount configfs and load the module "
                             "target_core_mod if there is to be a target",
                             s->engine, s->seconds);
        return r < 0 ? NULL : text;
}

void configfs_status_update(ConfigfsStatus *s) {
        _cleanup_free_ char *text = NULL;

        if (s->troubles != 0) {
                text = status_to_text(s);
                if (!text) {
                        (void) log_oom();
                        return;
                }
        }
        if (text ? s->text && strcmp(text, s->text) == 0 : !s->text)
                return;

        free(s->text);
        s->text = TAKE_PTR(text);
        if (s->text)
                log_full(configfs_status_is_blind(s) ? LOG_WARNING : LOG_INFO, "%s", s->text);
        else
                log_info("Changes made by other programs to the kernel's target are noticed at once again");
        s->told(s->text, s->userdata);
}

void configfs_status_done(ConfigfsStatus *s) {
        free(s->text);
}
