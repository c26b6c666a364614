/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/lio/snapshot.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define HEADER "L1"
#define SNAPSHOT_SIZE_MAX (1u << 20)

#define REVIVE_TRIES 50
#define REVIVE_WAIT_MSEC 20

/* A snapshot while it is taken. */
typedef struct Taking {
        const Lio *lio;
        const char *port_dir;
        char *real_port_dir, *real_target_dir;
        FILE *out;
        Texts *unreadable;
        Report *report;
} Taking;

static void put(Taking *t, char kind, const char *first, const char *second) {
        (void) fputc(kind, t->out);
        (void) fwrite(first, strlen(first) + 1, 1, t->out);
        if (second)
                (void) fwrite(second, strlen(second) + 1, 1, t->out);
}

static int put_unreadable(Taking *t, const char *what) {
        put(t, 'u', what, NULL);
        return texts_add(t->unreadable, "%s", what);
}

static const char *last_part(const char *path) {
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

/* What is written to an attribute so that it shows TEXT, which is changed for it. */
static char *value_of(const char *path, char *text) {
        static const char alias[] = "TG Port Alias: ";

        /* Of its group a LUN shows more than it takes. */
        if (strcmp(last_part(path), "alua_tg_pt_gp") == 0 && strncmp(text, alias, strlen(alias)) == 0)
                text += strlen(alias);

        text[strcspn(text, "\n")] = '\0';
        return text;
}

static int take_attribute(Taking *t, const char *path) {
        _cleanup_free_ char *full = NULL, *text = NULL;
        struct stat st;
        int r;

        full = lio_path(t->port_dir, path, NULL);
        if (!full)
                return -ENOMEM;
        if (stat(full, &st) < 0 || !(st.st_mode & S_IWUSR) || !(st.st_mode & S_IRUSR))
                return 0;

        r = file_read(full, &text, NULL);
        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return put_unreadable(t, path);

        put(t, 'a', path, value_of(path, text));
        return 0;
}

static int take_attributes(Taking *t, const char *dir) {
        _cleanup_(texts_done) Texts names = {};
        _cleanup_free_ char *full = NULL;
        int r;

        full = lio_path(t->port_dir, dir, NULL);
        r = full ? lio_dir_names(full, DT_REG, "", &names) : -ENOMEM;
        for (size_t i = 0; i < names.n && r >= 0; i++) {
                _cleanup_free_ char *path = lio_path(dir, names.items[i], NULL);

                r = path ? take_attribute(t, path) : -ENOMEM;
        }

        return r;
}

/* Secrets are not read; whether there are any can be told by those alone who may read them. */
static int take_secrets(Taking *t, const char *dir) {
        static const char *const names[] = { "userid", "password", "userid_mutual", "password_mutual" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_free_ char *path = lio_path(t->port_dir, dir, names[i], NULL), *text = NULL;
                int r;

                if (!path)
                        return -ENOMEM;
                r = file_read(path, &text, NULL);
                if (r == -ENOENT)
                        continue;
                if (r < 0 || text[strspn(text, "\n")])
                        return put_unreadable(t, dir);
        }

        return 0;
}

/* The target of a link, relative to the port or to the kernel's target. */
static int take_link(Taking *t, const char *path) {
        _cleanup_free_ char *full = lio_path(t->port_dir, path, NULL), *target = NULL;
        const char *const roots[] = { t->real_port_dir, t->real_target_dir };

        if (!full)
                return -ENOMEM;

        target = realpath(full, NULL);
        for (size_t i = 0; i < ELEMENTSOF(roots) && target; i++) {
                size_t n = strlen(roots[i]);

                if (strncmp(target, roots[i], n) == 0 && target[n] == '/') {
                        put(t, 'l', path, target + n + 1);
                        return 0;
                }
        }

        return put_unreadable(t, path);
}

/* A LUN of the port or its mapping in an ACL. */
static int take_lun(Taking *t, const char *path) {
        _cleanup_(texts_done) Texts links = {};
        _cleanup_free_ char *full = NULL;
        int r;

        put(t, 'd', path, NULL);
        full = lio_path(t->port_dir, path, NULL);
        r = full ? lio_dir_names(full, DT_LNK, "", &links) : -ENOMEM;
        for (size_t i = 0; i < links.n && r >= 0; i++) {
                _cleanup_free_ char *link = lio_path(path, links.items[i], NULL);

                r = link ? take_link(t, link) : -ENOMEM;
        }

        return r < 0 ? r : take_attributes(t, path);
}

static int take_portal(Taking *t, const char *path) {
        put(t, 'd', path, NULL);
        return take_attributes(t, path);
}

typedef int (*take_t)(Taking *t, const char *path);

static int take_each(Taking *t, const char *dir, const char *prefix, take_t take) {
        _cleanup_(texts_done) Texts names = {};
        _cleanup_free_ char *full = NULL;
        int r;

        full = lio_path(t->port_dir, dir, NULL);
        r = full ? lio_dir_names(full, DT_DIR, prefix, &names) : -ENOMEM;
        for (size_t i = 0; i < names.n && r >= 0; i++) {
                _cleanup_free_ char *path = lio_path(dir, names.items[i], NULL);

                r = path ? take(t, path) : -ENOMEM;
        }

        return r;
}

static int take_acl(Taking *t, const char *path) {
        _cleanup_free_ char *attributes = lio_path(path, "attrib", NULL), *secrets = lio_path(path, "auth", NULL);
        int r;

        if (!attributes || !secrets)
                return -ENOMEM;

        put(t, 'd', path, NULL);
        r = take_attributes(t, path);
        if (r >= 0)
                r = take_attributes(t, attributes);
        if (r >= 0)
                r = take_secrets(t, secrets);

        return r < 0 ? r : take_each(t, path, "lun_", take_lun);
}

static int take_all(Taking *t, SnapshotScope scope) {
        int r;

        put(t, HEADER[0], HEADER + 1, NULL);

        r = take_attributes(t, "attrib");
        if (r >= 0)
                r = take_attributes(t, "param");
        if (r >= 0)
                r = take_secrets(t, "auth");
        if (r >= 0)
                r = take_attribute(t, "rtpi"); /* in later kernels; to be set before the port is switched on */
        if (r >= 0)
                r = take_each(t, "lun", "lun_", take_lun);
        if (r >= 0)
                r = take_each(t, "acls", "", take_acl);
        if (r >= 0 && scope == SNAPSHOT_WHOLE)
                r = take_each(t, "np", "", take_portal);
        if (r >= 0 && scope == SNAPSHOT_WHOLE)
                r = take_attribute(t, "enable");

        return r;
}

int lio_snapshot_take(const Lio *lio, const char *port_dir, SnapshotScope scope, char **ret, size_t *ret_size, Texts *unreadable,
                      Report *report) {
        Taking t = { .lio = lio, .port_dir = port_dir, .unreadable = unreadable, .report = report };
        _cleanup_free_ char *snapshot = NULL, *real_port_dir = realpath(port_dir, NULL),
                            *real_target_dir = realpath(lio->target_dir, NULL);
        size_t size = 0;
        int r;

        if (!real_port_dir || !real_target_dir)
                return report_refuse(report, REFUSAL_FAILED, "Cannot read %s: %s", port_dir, strerror(errno));
        t.real_port_dir = real_port_dir;
        t.real_target_dir = real_target_dir;

        t.out = open_memstream(&snapshot, &size);
        if (!t.out)
                return -ENOMEM;
        r = take_all(&t, scope);
        if (ferror(t.out))
                r = -ENOMEM;
        if (fclose(t.out) != 0)
                r = -ENOMEM;
        if (r < 0)
                return report_refuse(report, REFUSAL_FAILED, "Cannot read what is in %s: %s", port_dir, strerror(-r));

        *ret = TAKE_PTR(snapshot);
        *ret_size = size;
        return 0;
}

/* A record of a snapshot. */
typedef struct Entry {
        char kind;
        const char *first, *second;
} Entry;

/* Takes the next record at *AT. Returns 1, 0 at the end, -EINVAL if it is none. The snapshot has a NUL behind its SIZE bytes. */
static int next_entry(const char *snapshot, size_t size, size_t *at, Entry *ret) {
        Entry e = { .second = "" };

        if (*at >= size)
                return 0;

        e.kind = snapshot[(*at)++];
        e.first = snapshot + *at;
        *at += strlen(e.first) + 1;
        if (*at > size || !strchr("Ldlau", e.kind))
                return -EINVAL;

        if (e.kind == 'l' || e.kind == 'a') {
                if (*at >= size)
                        return -EINVAL;
                e.second = snapshot + *at;
                *at += strlen(e.second) + 1;
                if (*at > size)
                        return -EINVAL;
        }

        *ret = e;
        return 1;
}

/* A path that goes down from where it begins, and not to secrets. */
static bool path_is_inside(const char *path) {
        size_t n;

        if (!*path || strlen(path) >= PATH_MAX)
                return false;

        for (const char *p = path;; p += n + 1) {
                n = strcspn(p, "/");
                if (n == 0 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.') ||
                    (n == 4 && memcmp(p, "auth", 4) == 0))
                        return false;
                if (!p[n])
                        return true;
        }
}

static bool begins_with(const char *path, const char *const *prefixes) {
        for (; *prefixes; prefixes++)
                if (strncmp(path, *prefixes, strlen(*prefixes)) == 0)
                        return true;

        return false;
}

static bool entry_is_valid(const Entry *e) {
        static const char *const dirs[] = { "lun/lun_", "acls/", NULL }, *const targets[] = { "lun/lun_", "core/", NULL },
                                 *const attributes[] = { "attrib/", "param/", "lun/lun_", "acls/", NULL };

        switch (e->kind) {
        case 'd':
                return path_is_inside(e->first) && begins_with(e->first, dirs);
        case 'l':
                return path_is_inside(e->first) && begins_with(e->first, dirs) && path_is_inside(e->second) &&
                       begins_with(e->second, targets);
        case 'a':
                return path_is_inside(e->first) && (begins_with(e->first, attributes) || strcmp(e->first, "rtpi") == 0);
        case 'u':
                return true;
        default:
                return false;
        }
}

bool lio_snapshot_is_valid(const char *snapshot, size_t size) {
        size_t at = 0;
        Entry e;
        int r;

        if (size > SNAPSHOT_SIZE_MAX)
                return false;
        r = next_entry(snapshot, size, &at, &e);
        if (r <= 0 || e.kind != HEADER[0] || strcmp(e.first, HEADER + 1) != 0)
                return false;

        while ((r = next_entry(snapshot, size, &at, &e)) > 0)
                if (!entry_is_valid(&e))
                        return false;

        return r == 0;
}

int lio_portal_dir_revive(const char *path) {
        for (unsigned i = 0; i < REVIVE_TRIES; i++) {
                if (mkdir(path, 0755) >= 0 || errno == EEXIST)
                        return 0;
                if (errno != EINVAL)
                        return -errno;
                (void) poll(NULL, 0, REVIVE_WAIT_MSEC);
        }

        return -EINVAL;
}

static int apply_attribute(Steps *s, const char *full, const Entry *e) {
        _cleanup_free_ char *text = NULL;
        int r;

        r = file_read(full, &text, NULL);
        if (r < 0 || strcmp(value_of(e->first, text), e->second) == 0)
                return r;

        /* The value of a group cannot be written as it is read, and goes with its LUN. */
        return strcmp(last_part(e->first), "alua_tg_pt_gp") == 0 ? step_write_only(s, full, e->second)
                                                                 : step_write(s, full, e->second);
}

static int apply_link(const Lio *lio, Steps *s, const char *port_dir, const char *full, const Entry *e) {
        bool inside = strncmp(e->second, "lun/", strlen("lun/")) == 0;
        _cleanup_free_ char *target = lio_path(inside ? port_dir : lio->target_dir, e->second, NULL);

        return target ? step_symlink(s, target, full) : -ENOMEM;
}

/* Returns 0 or more, or a negative errno. */
static int apply_entry(const Lio *lio, Steps *s, const char *port_dir, const Entry *e) {
        _cleanup_free_ char *full = lio_path(port_dir, e->first, NULL);

        if (!full)
                return -ENOMEM;

        switch (e->kind) {
        case 'd':
                return strncmp(e->first, "np/", strlen("np/")) == 0 ? lio_portal_dir_revive(full) : step_mkdir(s, full);
        case 'l':
                return apply_link(lio, s, port_dir, full, e);
        case 'a':
                return apply_attribute(s, full, e);
        default:
                return 0;
        }
}

static int apply_all(const Lio *lio, Steps *s, const char *port_dir, const char *snapshot, size_t size, Texts *lost,
                     int *ret_vital) {
        size_t at = 0;
        Entry e;

        while (next_entry(snapshot, size, &at, &e) > 0) {
                int r;

                r = apply_entry(lio, s, port_dir, &e);
                if (r == -ECANCELED || r == -ENOMEM)
                        return r;
                if (r < 0 && (strncmp(e.first, "np/", strlen("np/")) == 0 || strcmp(e.first, "enable") == 0))
                        *ret_vital = r;
                if (r < 0)
                        r = texts_add(lost, "%s (%s)", e.first, strerror(-r));
                else if (e.kind == 'u')
                        r = texts_add(lost, "%s", e.first);
                if (r < 0)
                        return r;
        }

        return 0;
}

int lio_snapshot_apply(const Lio *lio, Steps *s, const char *port_dir, const char *snapshot, size_t size, Texts *lost) {
        int vital = 0;

        return apply_all(lio, s, port_dir, snapshot, size, lost, &vital);
}

int lio_snapshot_revive(const Lio *lio, const char *port_dir, const char *snapshot, size_t size, Texts *lost) {
        _cleanup_(report_done) Report report = {};
        int r, vital = 0;
        Steps s;

        steps_begin(&s, NULL, NULL);
        steps_set_operation(&s, 0, &report);
        r = step_mkdir(&s, port_dir);
        if (r >= 0)
                r = apply_all(lio, &s, port_dir, snapshot, size, lost, &vital);
        steps_done(&s);

        return r < 0 ? r : vital;
}
