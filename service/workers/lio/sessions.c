/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/lio/sessions.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "common/macro.h"
#include "workers/base/steps.h"
#include "workers/lio/tree.h"

#define INFO_SESSION "InitiatorName: "
#define INFO_NO_SESSION "No active iSCSI Session"

int lio_info_to_initiator(const char *text, char **ret) {
        char *name;

        if (strncmp(text, INFO_NO_SESSION, strlen(INFO_NO_SESSION)) == 0)
                return 0;
        if (strncmp(text, INFO_SESSION, strlen(INFO_SESSION)) != 0)
                return -EINVAL;

        text += strlen(INFO_SESSION);
        name = strndup(text, strcspn(text, "\n"));
        if (!name)
                return -ENOMEM;

        *ret = name;
        return 1;
}

/* Sessions of initiators that have no ACL: one name per line. */
static int dynamic_session(const char *port_dir, char **ret_initiator) {
        _cleanup_free_ char *path = NULL, *text = NULL;
        int r;

        path = lio_path(port_dir, "dynamic_sessions", NULL);
        if (!path)
                return -ENOMEM;

        r = file_read(path, &text, NULL);
        if (r < 0 || !text[0])
                return r;

        text[strcspn(text, "\n")] = '\0';
        *ret_initiator = TAKE_PTR(text);
        return 1;
}

int lio_port_has_session(const char *port_dir, char **ret_initiator) {
        _cleanup_free_ char *acls = NULL;
        _cleanup_(texts_done) Texts names = {};
        int r;

        r = dynamic_session(port_dir, ret_initiator);
        if (r != 0)
                return r == -ENOENT ? 0 : r;

        acls = lio_path(port_dir, "acls", NULL);
        if (!acls)
                return -ENOMEM;
        r = lio_dir_names(acls, DT_DIR, "", &names);

        for (size_t i = 0; i < names.n && r == 0; i++) {
                _cleanup_free_ char *path = NULL, *text = NULL;

                path = lio_path(acls, names.items[i], "info", NULL);
                r = path ? file_read(path, &text, NULL) : -ENOMEM;
                if (r >= 0)
                        r = lio_info_to_initiator(text, ret_initiator);
                else if (r == -ENOENT) /* the ACL went away, and its session with it */
                        r = 0;
        }

        return r;
}

int lio_check_port_sessions(const char *port_dir, const char *node, uint16_t tag, Report *report) {
        _cleanup_free_ char *initiator = NULL;
        int r;

        r = lio_port_has_session(port_dir, &initiator);
        if (r > 0)
                return report_refuse(report, REFUSAL_SESSIONS_ACTIVE,
                                     "Initiator %s is logged in to node %s (target portal group %u); log it out first", initiator,
                                     node, tag);
        if (r < 0)
                return report_refuse(report, REFUSAL_FAILED, "Cannot read the sessions of %s: %s", port_dir, strerror(-r));

        return 0;
}
