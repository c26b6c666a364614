/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/open-iscsi/use.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/array.h"
#include "common/macro.h"
#include "workers/open-iscsi/iscsiadm.h"
#include "workers/open-iscsi/record.h"
#include "workers/open-iscsi/text-file.h"

#define NAMED_MAX 4u /* in one sentence */

void use_done(Use *u) {
        texts_done(&u->sessions);
        texts_done(&u->records);
        free(u->ids);
        *u = (Use){};
}

static int refuse_read(const char *path, int error, Report *report) {
        if (error == -ENOMEM)
                return error;
        return report_refuse(report, REFUSAL_FAILED, "Cannot read %s, so it is not known whether the record is in use: %s", path,
                             strerror(-error));
}

/* The entries of PATH, sorted; none if it is not there. */
static int list(const char *path, Texts *ret, Report *report) {
        int r;

        r = directory_list(path, ret);
        return r < 0 && r != -ENOENT ? refuse_read(path, r, report) : 0;
}

/* The attribute of a session, "" if it has none, or if the session has ended meanwhile. */
static int read_attribute(const char *directory, const char *name, char **ret, Report *report) {
        _cleanup_free_ char *path = NULL, *text = NULL;
        int r;

        if (asprintf(&path, "%s/%s", directory, name) < 0)
                return -ENOMEM;
        r = text_file_read(path, &text);
        if (r < 0 && r != -ENOENT && r != -ENODEV)
                return refuse_read(path, r, report);
        if (r < 0)
                text = strdup("");
        if (!text)
                return -ENOMEM;

        text[strcspn(text, "\n")] = '\0';
        *ret = TAKE_PTR(text);
        return 0;
}

static int add_session(Use *u, unsigned id, const char *target) {
        int r;

        r = array_grow(&u->ids, u->sessions.n, sizeof(*u->ids));
        if (r < 0)
                return r;
        u->ids[u->sessions.n] = id;
        return texts_add(&u->sessions, "session %u with %s", id, target[0] ? target : "a target that is not known yet");
}

static int look_at_session(Use *u, const char *directory, const char *name, const char *file, Report *report) {
        _cleanup_free_ char *interface = NULL, *target = NULL;
        int r;

        if (strncmp(name, "session", strlen("session")) != 0)
                return 0;
        r = read_attribute(directory, "ifacename", &interface, report);
        if (r < 0 || strcmp(interface, file) != 0)
                return r;
        r = read_attribute(directory, "targetname", &target, report);
        if (r < 0)
                return r;

        return add_session(u, (unsigned) strtoul(name + strlen("session"), NULL, 10), target);
}

static int find_sessions(const Installation *at, const char *file, Use *u, Report *report) {
        _cleanup_(texts_done) Texts names = {};
        _cleanup_free_ char *class = NULL;
        int r;

        if (asprintf(&class, "%s/class/iscsi_session", at->sysfs) < 0)
                return -ENOMEM;
        r = list(class, &names, report);
        for (size_t i = 0; i < names.n && r >= 0; i++) {
                _cleanup_free_ char *directory = NULL;

                r = asprintf(&directory, "%s/%s", class, names.items[i]) < 0 ? -ENOMEM : 0;
                if (r >= 0)
                        r = look_at_session(u, directory, names.items[i], file, report);
        }
        return r;
}

/* A portal of a target: a directory with one record per interface, or, without a tag, the record itself. */
static int look_at_portal(Use *u, const char *path, const char *file, Report *report) {
        _cleanup_free_ char *inner = NULL, *text = NULL;
        _cleanup_record_ Record record = {};
        struct stat st;
        int r;

        if (asprintf(&inner, "%s/%s", path, file) < 0)
                return -ENOMEM;
        if (lstat(inner, &st) == 0)
                return texts_add(&u->records, "%s", inner);
        if (errno == ENOENT)
                return 0;
        if (errno != ENOTDIR)
                return refuse_read(inner, -errno, report);

        r = text_file_read(path, &text);
        if (r == -ENOENT || r == -EISDIR) /* it is gone, or no record of open-iscsi */
                return 0;
        if (r < 0)
                return refuse_read(path, r, report);
        r = record_parse(file, text, &record);
        if (r < 0 || !record.name || strcmp(record.name, file) != 0)
                return r;
        return texts_add(&u->records, "%s", path);
}

static int look_at_target(Use *u, const char *directory, const char *file, Report *report) {
        _cleanup_(texts_done) Texts portals = {};
        int r;

        r = directory_list(directory, &portals);
        if (r == -ENOENT || r == -ENOTDIR) /* open-iscsi passes over what is no directory as well */
                return 0;
        if (r < 0)
                return refuse_read(directory, r, report);

        for (size_t i = 0; i < portals.n && r >= 0; i++) {
                _cleanup_free_ char *path = NULL;

                r = asprintf(&path, "%s/%s", directory, portals.items[i]) < 0 ? -ENOMEM : look_at_portal(u, path, file, report);
        }
        return r;
}

static int find_records(const Installation *at, const char *file, Use *u, Report *report) {
        _cleanup_(texts_done) Texts targets = {};
        _cleanup_free_ char *nodes = NULL;
        int r;

        if (asprintf(&nodes, "%s/nodes", at->directory) < 0)
                return -ENOMEM;
        r = list(nodes, &targets, report);
        for (size_t i = 0; i < targets.n && r >= 0; i++) {
                _cleanup_free_ char *directory = NULL;

                r = asprintf(&directory, "%s/%s", nodes, targets.items[i]) < 0 ? -ENOMEM : 0;
                if (r >= 0)
                        r = look_at_target(u, directory, file, report);
        }
        return r;
}

int use_read(const Installation *at, const char *file, Use *ret, Report *report) {
        _cleanup_use_ Use u = {};
        int r;

        r = find_sessions(at, file, &u, report);
        if (r >= 0)
                r = find_records(at, file, &u, report);
        if (r < 0)
                return r;

        *ret = u;
        u = (Use){};
        return 0;
}

/* The first few of T. */
static char *name_some(const Texts *t) {
        Texts some = { .items = t->items, .n = MIN2(t->n, NAMED_MAX) };
        _cleanup_free_ char *joined = texts_join(&some);
        char *text;

        if (!joined || t->n <= NAMED_MAX)
                return TAKE_PTR(joined);
        return asprintf(&text, "%s and %zu more", joined, t->n - NAMED_MAX) < 0 ? NULL : text;
}

int use_refuse(const Use *u, const char *file, Report *report) {
        _cleanup_free_ char *names = name_some(u->sessions.n > 0 ? &u->sessions : &u->records);

        if (u->sessions.n > 0)
                return report_refuse(
                        report, REFUSAL_SESSIONS_ACTIVE,
                        "Interface record %s is used by %s; log out first (iscsiadm -m session -r NUMBER -u), or use "
                        "the forced method",
                        file, names ? names : "sessions");
        if (u->records.n > 0)
                return report_refuse(
                        report, REFUSAL_RECORD_IN_USE,
                        "Interface record %s is named by records of targets, %s; remove them first (iscsiadm -m node "
                        "-I %s -o delete), or use the forced method",
                        file, names ? names : "…", file);
        return 0;
}

static int log_out(const Installation *at, const char *session, unsigned number, Report *report) {
        _cleanup_free_ char *what = NULL, *id = NULL;

        if (asprintf(&what, "log out of %s", session) < 0 || asprintf(&id, "%u", number) < 0)
                return -ENOMEM;
        return iscsiadm_run(at,
                            &(Errand){ .what = what,
                                       .arguments = (const char *const[]){ "-m", "session", "-r", id, "-u", NULL },
                                       .asks_iscsid = true },
                            report);
}

static int remove_records(const Installation *at, const char *file, Report *report) {
        _cleanup_free_ char *what = NULL;

        if (asprintf(&what, "remove the records of targets that name interface record %s", file) < 0)
                return -ENOMEM;
        return iscsiadm_run(
                at,
                &(Errand){ .what = what, .arguments = (const char *const[]){ "-m", "node", "-I", file, "-o", "delete", NULL } },
                report);
}

int use_end(const Installation *at, const Use *u, const char *file, Report *report) {
        _cleanup_use_ Use left = {};
        int r = 0;

        for (size_t i = 0; i < u->sessions.n && r >= 0; i++)
                r = log_out(at, u->sessions.items[i], u->ids[i], report);
        if (u->records.n > 0 && r >= 0)
                r = remove_records(at, file, report);

        /* What iscsiadm says counts less than what is left. */
        if (r == -ENOMEM || use_read(at, file, &left, report) < 0)
                return r < 0 ? r : -EIO;
        if (left.sessions.n == 0 && left.records.n == 0) {
                report_done(report);
                return 0;
        }
        return r < 0 ? r : use_refuse(&left, file, report);
}
