/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Reading everything. Every value is validated: what no change can have written is damage. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-id128.h>

#include "store/internal.h"
#include "store/stored.h"

/* Portals of one object, in room that grows from object to object. */
typedef struct PortalList {
        Portal *portals;
        size_t n, n_allocated;
} PortalList;

/* How all objects of a kind are read. */
typedef struct Reader {
        Prepared objects, portals; /* the second without a statement if an object's portals stand in its own row */
        PortalList list;
} Reader;

static void reader_done(Reader *r) {
        (void) sqlite3_finalize(r->objects.statement);
        (void) sqlite3_finalize(r->portals.statement);
        free(r->list.portals);
}

static int list_add(Database *d, PortalList *l, const Portal *portal) {
        if (l->n == l->n_allocated) {
                size_t wanted = MAX2(l->n * 2, (size_t) 8);
                Portal *p;

                p = reallocarray(l->portals, wanted, sizeof(Portal));
                if (!p)
                        return database_fail(d, SQLITE_NOMEM);

                l->portals = p;
                l->n_allocated = wanted;
        }

        l->portals[l->n++] = *portal;
        return 0;
}

/* Reads the row that P is at. */
static int read_row(Database *d, const Prepared *p, StoreOperation *op, PortalList *l) {
        Portal portal;
        int r;

        r = prepared_read(d, p, op, &portal);
        return r > 0 ? list_add(d, l, &portal) : r;
}

static int read_portals(Database *d, Reader *reader, StoreOperation *op) {
        const Prepared *p = &reader->portals;
        BindRoom room;
        int r;

        (void) sqlite3_reset(p->statement);
        r = prepared_bind(d, p, op, NULL, &room);
        if (r < 0)
                return r;

        while ((r = statement_next(d, p->statement)) > 0) {
                r = read_row(d, p, op, &reader->list);
                if (r < 0)
                        return r;
        }

        return r;
}

static int read_object(Database *d, Reader *reader, StoreVerb verb, StoreImage *image) {
        StoreOperation op = { .verb = verb };
        int r;

        reader->list.n = 0;
        r = read_row(d, &reader->objects, &op, &reader->list);
        if (r >= 0 && reader->portals.statement)
                r = read_portals(d, reader, &op);
        if (r < 0)
                return r;

        op.portals = reader->list.portals;
        op.n_portals = reader->list.n;
        r = store_change_add(image->objects, &op);
        if (r == -EINVAL)
                return database_fail_text(d, -EUCLEAN, "an unusable address");
        return r < 0 ? database_fail_text(d, r, "out of memory") : 0;
}

static int read_objects(Database *d, const StoredKind *kind, StoreVerb verb, StoreImage *image) {
        _cleanup_(reader_done) Reader reader = {};
        int r;

        r = prepared_new(d, kind->load, 0, &reader.objects);
        if (r >= 0 && kind->load_portals)
                r = prepared_new(d, kind->load_portals, 0, &reader.portals);
        if (r < 0)
                return r;

        while ((r = statement_next(d, reader.objects.statement)) > 0) {
                r = read_object(d, &reader, verb, image);
                if (r < 0)
                        return r;
        }

        return r;
}

static int read_kind(Database *d, StoredType type, StoreImage *image) {
        const StoredKind *kind = stored_kinds + type;
        int64_t next = 0;
        int r = 0;

        if (kind->load)
                r = read_objects(d, kind, (StoreVerb) (type * _STORE_ACTION_MAX + STORE_ACTION_ADD), image);
        if (r >= 0 && kind->next_id)
                r = database_query_integer(d, kind->next_id, &next);

        image->next_ids[type] = (uint64_t) next;
        return r;
}

int database_load(Database *d, StoreImage **ret) {
        _cleanup_(image_freep) StoreImage *image = NULL;
        int r;

        image = calloc(1, sizeof(StoreImage));
        if (image)
                image->objects = store_change_new();
        if (!image || !image->objects)
                return database_fail_text(d, -ENOMEM, "out of memory");

        for (StoredType type = 0; type < _STORED_MAX; type++) {
                r = read_kind(d, type, image);
                if (r < 0)
                        return r;
        }

        *ret = TAKE_PTR(image);
        return 0;
}

StoreImage *image_free(StoreImage *image) {
        if (!image)
                return NULL;

        store_change_free(image->objects);
        free(image);
        return NULL;
}

int store_image_visit(const StoreImage *image, int (*visit)(const StoreOperation *op, void *userdata), void *userdata) {
        for (size_t i = 0; i < image->objects->n; i++) {
                int r;

                r = visit(image->objects->operations[i], userdata);
                if (r < 0)
                        return r;
        }

        return 0;
}

uint64_t store_image_next_id(const StoreImage *image, StoredType kind) {
        return image->next_ids[kind];
}

static int forget_in_table(Database *d, const char *table, const char *boot) {
        _cleanup_statement_ sqlite3_stmt *statement = NULL;
        char sql[128];
        int r;

        (void) snprintf(sql, sizeof(sql), "DELETE FROM %s WHERE boot_id != '' AND boot_id != ?1", table);
        r = statement_prepare(d, sql, 0, &statement);
        if (r >= 0)
                r = statement_bind_text(d, statement, 1, boot);
        return r < 0 ? r : statement_run(d, statement);
}

/* Returns how many were removed. */
static int forget(Database *d, const char *boot) {
        int n = 0, r;

        for (StoredType type = 0; type < _STORED_MAX; type++) {
                if (!stored_kinds[type].table_with_boot)
                        continue;
                r = forget_in_table(d, stored_kinds[type].table_with_boot, boot);
                if (r < 0)
                        return r;
                n += r;
        }

        return n;
}

/* How many end with a boot of this host, whichever. */
static int count_with_boot(Database *d, int64_t *ret) {
        int64_t all = 0, n = 0;
        char sql[128];
        int r;

        for (StoredType type = 0; type < _STORED_MAX; type++) {
                if (!stored_kinds[type].table_with_boot)
                        continue;
                (void) snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s WHERE boot_id != ''",
                                stored_kinds[type].table_with_boot);
                r = database_query_integer(d, sql, &n);
                if (r < 0)
                        return r;
                all += n;
        }

        *ret = all;
        return 0;
}

int database_forget_other_boots(Database *d) {
        char text[SD_ID128_STRING_MAX];
        int64_t n = 0;
        sd_id128_t boot;
        int n_removed, r;

        r = count_with_boot(d, &n);
        if (r < 0 || n == 0)
                return r;

        r = sd_id128_get_boot(&boot);
        if (r < 0)
                return database_fail_text(d, r, "the id of this boot cannot be read: %s", strerror(-r));

        r = transaction_begin(d, CONTROL_BEGIN_CHANGE);
        if (r < 0)
                return r;

        n_removed = forget(d, sd_id128_to_string(boot, text));
        if (n_removed == 0) {
                (void) transaction_end(d, -ECANCELED);
                return 0;
        }

        r = transaction_end(d, n_removed);
        return r < 0 ? r : 1;
}
