/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "workers/open-iscsi/operations.h"
#include "workers/open-iscsi/use.h"

/* Whether the plan still has the port with the record FILE. */
static bool stays(const Call *c, const char *file) {
        for (size_t i = 0; i < c->n_ports; i++)
                if (strcmp(c->ports[i].file, file) == 0)
                        return c->ports[i].exists;

        return true;
}

int decide_delete_node(Call *c, const Operation *op, Report *report, Texts *warnings) {
        int r;

        r = call_load_all(c, report);
        if (r < 0)
                return r;

        for (size_t i = 0; i < c->all.n; i++) {
                const char *file = c->all.items[i].record->file;

                if (stays(c, file))
                        return report_refuse(report, REFUSAL_FOREIGN_OBJECT_INSIDE,
                                             "Interface record %s has the initiator name %s; another program made it: remove it "
                                             "first (iscsiadm -m iface -I %s -o delete)",
                                             file, c->node, file);
        }
        return 0;
}

int act_delete_node(Call *c, const Operation *op, Report *report) {
        return 0;
}

static int warn_of_use(const Use *u, Texts *warnings) {
        int r = 0;

        for (size_t i = 0; i < u->sessions.n && r >= 0; i++)
                r = texts_add(warnings, "%s is logged out", u->sessions.items[i]);
        for (size_t i = 0; i < u->records.n && r >= 0; i++)
                r = texts_add(warnings, "The record of a target %s is removed", u->records.items[i]);
        return r;
}

int decide_delete_port(Call *c, const Operation *op, Report *report, Texts *warnings) {
        _cleanup_use_ Use u = {};
        CallPort *p;
        int r;

        r = call_port(c, op->identifier, &p, report);
        if (r < 0 || !p->exists)
                return r;
        r = use_read(c->at, p->file, &u, report);
        if (r >= 0)
                r = op->force ? warn_of_use(&u, warnings) : use_refuse(&u, p->file, report);
        if (r >= 0)
                p->exists = false;
        return r;
}

/* What cannot be had again is named if the change is undone. */
static int undo_end(const Undo *u, Texts *lost) {
        return texts_add(lost, "%s", u->path);
}

static int note_end(Call *c, const Texts *what) {
        int r = 0;

        for (size_t i = 0; i < what->n && r >= 0; i++)
                r = steps_add(c->steps, undo_end, what->items[i], NULL, 0, NULL);
        return r;
}

static int remove_record(Call *c, CallPort *p, bool unused) {
        int r;

        r = database_change(c->at, c->steps, &(RecordChange){ .file = p->file, .before = p->text, .unused = unused });
        return r < 0 ? r : call_port_changed(p, NULL);
}

int act_delete_port(Call *c, const Operation *op, Report *report) {
        _cleanup_use_ Use u = {};
        CallPort *p;
        int r;

        r = call_port(c, op->identifier, &p, report);
        if (r < 0 || !p->there)
                return r;

        /* Once more: somebody may have logged in since it was decided. If it is not forced, remove_record() looks. */
        r = op->force ? use_read(c->at, p->file, &u, report) : 0;
        if (r >= 0 && u.sessions.n + u.records.n > 0) {
                r = note_end(c, &u.sessions);
                if (r >= 0)
                        r = note_end(c, &u.records);
                if (r >= 0)
                        r = use_end(c->at, &u, p->file, report);
        }
        return r < 0 ? r : remove_record(c, p, !op->force);
}

/* Anything in the record that is not as we write it, and any use of it, was not made by a create that was cut short. */
int decide_undo_port(Call *c, const Operation *op, Report *report, Texts *warnings) {
        _cleanup_free_ char *drift = NULL;
        _cleanup_use_ Use u = {};
        CallPort *p;
        int r;

        r = call_port(c, op->identifier, &p, report);
        if (r >= 0 && p->there)
                r = record_drift(&p->now, c->node, &drift);
        if (r >= 0 && p->there && !drift)
                r = use_read(c->at, p->file, &u, report);
        if (r < 0)
                return r;

        p->exists = p->there && (drift || u.sessions.n + u.records.n > 0);
        return 0;
}

int act_undo_port(Call *c, const Operation *op, Report *report) {
        CallPort *p;
        int r;

        database_clean(c->at); /* the temporary file, too, of the worker that was lost */
        r = call_port(c, op->identifier, &p, report);
        if (r < 0 || !p->there || p->exists)
                return r;
        r = remove_record(c, p, true);
        if (r >= 0 || (report->refusal != REFUSAL_SESSIONS_ACTIVE && report->refusal != REFUSAL_RECORD_IN_USE))
                return r;

        /* It has come into use since it was decided: it stays, as it would have. */
        report_done(report);
        p->exists = true;
        return 0;
}

static int check_use(Call *c, const char *file, Report *report) {
        _cleanup_use_ Use u = {};
        int r;

        r = use_read(c->at, file, &u, report);
        return r < 0 ? r : use_refuse(&u, file, report);
}

int decide_check_sessions(Call *c, const Operation *op, Report *report, Texts *warnings) {
        CallPort *p;
        int r;

        if (!op->all) {
                r = call_port(c, op->identifier, &p, report);
                return r < 0 || !p->there ? r : check_use(c, p->file, report);
        }

        r = call_load_all(c, report);
        for (size_t i = 0; i < c->all.n && r >= 0; i++)
                r = check_use(c, c->all.items[i].record->file, report);
        return r;
}

int act_check_sessions(Call *c, const Operation *op, Report *report) {
        return 0;
}
