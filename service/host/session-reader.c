/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* How it is laid out, S being a session's number and C a connection's:
 *
 *      class/iscsi_session/sessionS            ─▶ devices/…/hostH/sessionS/iscsi_session/sessionS
 *      class/iscsi_session/sessionS/device     ─▶ devices/…/hostH/sessionS
 *      devices/…/hostH/sessionS/connectionS:C/iscsi_connection/connectionS:C
 *      class/iscsi_host/hostH, class/scsi_host/hostH
 *
 * Software initiators (tcp, iser) have a host for each session. */

#include "host/session-reader.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/identifier.h"
#include "common/text.h"

/* With its newline. Names of iSCSI have at most 223 bytes. */
#define ATTRIBUTE_MAX 1024u

#define DIRECTORY_FLAGS (O_DIRECTORY | O_CLOEXEC)

/* What an attribute becomes: a value of the type that the key has. */
typedef struct Attribute {
        const char *name;
        unsigned key;
        bool needed;   /* a session without it is not set up yet */
        uint64_t more; /* is added: CIM counts digests from 2 (none), the kernel from 0 */
} Attribute;

/* Not read: data_seq_in_order and data_pdu_in_order, where open-iscsi leaves 0, whatever was agreed. */
static const Attribute session_attributes[] = {
        { "initiatorname", SESSION_INITIATOR, .needed = true },
        { "targetname", SESSION_TARGET, .needed = true },
        { "isid", SESSION_ISID },
        { "tpgt", SESSION_TAG },
        { "state", SESSION_STATE, .needed = true },
        { "ifacename", SESSION_INTERFACE_RECORD, .needed = true },
        { "initial_r2t", SESSION_INITIAL_R2T },
        { "immediate_data", SESSION_IMMEDIATE_DATA },
        { "max_outstanding_r2t", SESSION_MAX_OUTSTANDING_R2T },
        { "first_burst_len", SESSION_MAX_FIRST_BURST },
        { "max_burst_len", SESSION_MAX_BURST },
        { "erl", SESSION_ERROR_RECOVERY_LEVEL },
};

/* They hold values of their own before the login, and what was agreed on only after it. */
static const SessionKey negotiated[] = {
        SESSION_TAG,
        SESSION_INITIAL_R2T,
        SESSION_IMMEDIATE_DATA,
        SESSION_MAX_OUTSTANDING_R2T,
        SESSION_MAX_FIRST_BURST,
        SESSION_MAX_BURST,
        SESSION_ERROR_RECOVERY_LEVEL,
};

static const Attribute connection_attributes[] = {
        { "state", CONNECTION_STATE },
        { "address", CONNECTION_ADDRESS },
        { "port", CONNECTION_PORT },
        { "persistent_address", CONNECTION_PERSISTENT_ADDRESS },
        { "persistent_port", CONNECTION_PERSISTENT_PORT },
        { "local_port", CONNECTION_LOCAL_PORT },
        { "max_recv_dlength", CONNECTION_MAX_RECEIVE },
        { "max_xmit_dlength", CONNECTION_MAX_TRANSMIT },
        { "header_digest", CONNECTION_HEADER_DIGEST, .more = 2 },
        { "data_digest", CONNECTION_DATA_DIGEST, .more = 2 },
};

static const Attribute interface_attribute = { "netdev", SESSION_INTERFACE_NAME };
static const Attribute local_address_attribute = { "ipaddress", CONNECTION_LOCAL_ADDRESS };

void session_reading_done(SessionReading *r) {
        session_info_done(&r->info);
        free(r->fault);
        *r = (SessionReading){};
}

/* The text of an attribute without its newline. Returns 0, -ENODATA if the kernel has no value there, or a negative errno. */
static int read_text(int directory, const char *name, char buf[static ATTRIBUTE_MAX]) {
        _cleanup_close_ int fd = -1;
        ssize_t n;

        buf[0] = '\0';
        fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0)
                return -errno;
        n = read(fd, buf, ATTRIBUTE_MAX);
        if (n < 0)
                return -errno;
        if ((size_t) n >= ATTRIBUTE_MAX)
                return -EMSGSIZE;

        buf[n] = '\0';
        buf[strcspn(buf, "\n")] = '\0';
        if (strlen(buf) + 1 < (size_t) n || text_has_controls(buf) || !text_is_utf8(buf))
                return -EILSEQ;
        return buf[0] == '\0' || strcmp(buf, "(null)") == 0 || strcmp(buf, "<NULL>") == 0 ? -ENODATA : 0;
}

static uint64_t highest_of(char type) {
        switch (type) {
        case 'b':
                return 1;
        case 'q':
                return UINT16_MAX;
        default:
                return UINT32_MAX;
        }
}

static int parse_number(const char *text, uint64_t max, uint64_t *ret) {
        uint64_t v = 0;

        if (!text[0])
                return -EINVAL;
        for (const char *p = text; *p; p++) {
                if (*p < '0' || *p > '9')
                        return -EINVAL;
                v = 10 * v + (uint64_t) (*p - '0');
                if (v > max)
                        return -ERANGE;
        }

        *ret = v;
        return 0;
}

/* What a program with fewer rights than it should have, or another kernel, cannot read is told as a fault; a value that is not
 * there, or of a session that goes away meanwhile, is just not known. */
static bool is_fault(int r) {
        return r == -EACCES || r == -EPERM || r == -EMSGSIZE || r == -EILSEQ || r == -EMFILE || r == -ENFILE;
}

static const char *text_of_fault(int r) {
        return r == -EILSEQ ? "it is no plain text" : r == -EMSGSIZE ? "it is too long" : strerror(-r);
}

/* Returns 0, whether the value is known or not, or -ENOMEM. */
static int read_value(int directory, const Attribute *a, const SessionField *field, SessionValue *v, char **fault) {
        char buf[ATTRIBUTE_MAX];
        uint64_t number;
        char *copy;
        int r;

        r = read_text(directory, a->name, buf);
        if (is_fault(r) && !*fault && asprintf(fault, "%s cannot be read: %s", a->name, text_of_fault(r)) < 0) {
                *fault = NULL;
                return -ENOMEM;
        }
        if (r < 0)
                return 0;

        if (field->type != 's') {
                if (parse_number(buf, highest_of(field->type) - a->more, &number) >= 0)
                        session_set_number(v, number + a->more);
                return 0;
        }

        copy = strdup(buf);
        if (!copy)
                return -ENOMEM;
        session_take_text(v, copy);
        return 0;
}

/* The part of NAME behind PREFIX as a number; END is what may follow it. */
static bool number_behind(const char *name, const char *prefix, char end, uint32_t *ret) {
        char digits[11];
        uint64_t v;
        size_t n;

        if (strncmp(name, prefix, strlen(prefix)) != 0)
                return false;
        name += strlen(prefix);
        n = strspn(name, "0123456789");
        if (n == 0 || n >= sizeof(digits) || (name[n] != '\0' && name[n] != end))
                return false;

        memcpy(digits, name, n);
        digits[n] = '\0';
        if (parse_number(digits, UINT32_MAX, &v) < 0)
                return false;
        *ret = (uint32_t) v;
        return true;
}

bool session_number_in_path(const char *path, uint32_t *ret) {
        for (const char *p = path; p; p = strchr(p, '/')) {
                p += *p == '/';
                if (number_behind(p, "session", '/', ret))
                        return true;
        }

        return false;
}

int session_list(int sysfs, int (*found)(uint32_t number, void *userdata), void *userdata) {
        _cleanup_close_ int fd = -1;
        _cleanup_closedir_ DIR *d = NULL;
        uint32_t number;
        int r;

        fd = openat(sysfs, "class/iscsi_session", O_RDONLY | DIRECTORY_FLAGS);
        if (fd < 0)
                return errno == ENOENT ? 0 : -errno; /* the module of the kernel is not loaded */
        d = fdopendir(fd);
        if (!d)
                return -errno;
        (void) TAKE_FD(fd);

        for (;;) {
                const struct dirent *entry;

                errno = 0;
                entry = readdir(d);
                if (!entry)
                        return -errno;
                if (!number_behind(entry->d_name, "session", '\0', &number))
                        continue;
                r = found(number, userdata);
                if (r < 0)
                        return r;
        }
}

/* Opens "class/CLASS/NAME", whose name is made of the rest. */
_printf_(3, 4) static int open_directory(int at, int flags, const char *format, ...) {
        char path[PATH_MAX];
        va_list ap;
        int n, fd;

        va_start(ap, format);
        n = vsnprintf(path, sizeof(path), format, ap);
        va_end(ap);
        if (n < 0 || (size_t) n >= sizeof(path))
                return -ENAMETOOLONG;

        fd = openat(at, path, flags | DIRECTORY_FLAGS);
        return fd < 0 ? -errno : fd;
}

static int read_connection(int session, const char *name, SessionConnection *c, char **fault) {
        _cleanup_close_ int fd = -1;
        int r = 0;

        fd = open_directory(session, O_PATH, "device/%s/iscsi_connection/%s", name, name);
        if (fd < 0)
                return 0; /* gone again */

        for (size_t i = 0; i < ELEMENTSOF(connection_attributes) && r >= 0; i++) {
                const Attribute *a = connection_attributes + i;

                r = read_value(fd, a, connection_fields + a->key, c->values + a->key, fault);
        }
        return r;
}

static int compare_connections(const void *a, const void *b) {
        const SessionConnection *x = a, *y = b;
        uint64_t m = x->values[CONNECTION_ID].number, n = y->values[CONNECTION_ID].number;

        return m < n ? -1 : m > n;
}

static int read_connections(int session, uint32_t number, SessionReading *reading) {
        _cleanup_closedir_ DIR *d = NULL;
        SessionInfo *s = &reading->info;
        char prefix[32];
        int fd, r;

        fd = open_directory(session, O_RDONLY, "device");
        if (fd < 0)
                return 0;
        d = fdopendir(fd);
        if (!d) {
                (void) close(fd);
                return -ENOMEM;
        }

        (void) snprintf(prefix, sizeof(prefix), "connection%u:", number);
        for (const struct dirent *entry; (entry = readdir(d)) && s->n_connections < SESSION_CONNECTIONS_MAX;) {
                SessionConnection *more, *c;
                uint32_t id;

                if (!number_behind(entry->d_name, prefix, '\0', &id))
                        continue;
                more = reallocarray(s->connections, s->n_connections + 1, sizeof(SessionConnection));
                if (!more)
                        return -ENOMEM;
                s->connections = more;
                c = more + s->n_connections++;
                *c = (SessionConnection){};
                session_set_number(c->values + CONNECTION_ID, id);
                r = read_connection(session, entry->d_name, c, &reading->fault);
                if (r < 0)
                        return r;
        }

        if (s->n_connections > 0)
                qsort(s->connections, s->n_connections, sizeof(SessionConnection), compare_connections);
        return 0;
}

/* The number of the host in "../../devices/platform/host2/session5/iscsi_session/session5": the last one, as hosts can stand
 * below other devices. */
static bool find_host(int sysfs, uint32_t number, uint32_t *ret) {
        char link[PATH_MAX], path[64];
        bool found = false;
        ssize_t n;

        (void) snprintf(path, sizeof(path), "class/iscsi_session/session%u", number);
        n = readlinkat(sysfs, path, link, sizeof(link));
        if (n < 0 || (size_t) n >= sizeof(link))
                return false;
        link[n] = '\0';

        for (const char *p = link; p; p = strchr(p, '/')) {
                p += *p == '/';
                found |= number_behind(p, "host", '/', ret);
        }
        return found;
}

/* open-iscsi makes the ISID of the sessions that it logs in itself out of the session's number, and sysfs does not show it. Cards
 * that log in by themselves have others. */
static int derive_isid(int sysfs, uint32_t host, uint32_t number, SessionInfo *s) {
        static const char *const drivers[] = { "iscsi_tcp", "iscsi_iser" };
        _cleanup_close_ int fd = -1;
        char buf[ATTRIBUTE_MAX], *isid;
        bool known = false;

        fd = open_directory(sysfs, O_PATH, "class/scsi_host/host%u", host);
        if (fd < 0 || read_text(fd, "proc_name", buf) < 0)
                return 0;
        for (size_t i = 0; i < ELEMENTSOF(drivers); i++)
                known |= strcmp(buf, drivers[i]) == 0;
        if (!known)
                return 0;

        if (asprintf(&isid, "00023D%06X", number & 0xFFFFFFu) < 0)
                return -ENOMEM;
        session_take_text(s->values + SESSION_ISID, isid);
        return 0;
}

static int read_host(int sysfs, uint32_t number, SessionReading *reading) {
        SessionInfo *s = &reading->info;
        _cleanup_close_ int fd = -1;
        uint32_t host;
        int r = 0;

        if (!find_host(sysfs, number, &host))
                return 0;
        fd = open_directory(sysfs, O_PATH, "class/iscsi_host/host%u", host);
        if (fd < 0)
                return 0;

        r = read_value(fd, &interface_attribute, session_fields + SESSION_INTERFACE_NAME, s->values + SESSION_INTERFACE_NAME,
                       &reading->fault);
        if (r >= 0 && s->n_connections > 0) /* it is that of the first, the leading one */
                r = read_value(fd, &local_address_attribute, connection_fields + CONNECTION_LOCAL_ADDRESS,
                               s->connections[0].values + CONNECTION_LOCAL_ADDRESS, &reading->fault);
        if (r >= 0 && !s->values[SESSION_ISID].known)
                r = derive_isid(sysfs, host, number, s);
        return r;
}

/* An ISID that is not one is none. */
static void check_isid(SessionInfo *s) {
        SessionValue *v = s->values + SESSION_ISID;

        if (v->known && (strlen(v->text) != 12 || strspn(v->text, "0123456789abcdefABCDEF") != 12))
                v->known = false;
        for (char *p = v->known ? v->text : NULL; p && *p; p++)
                if (*p >= 'a' && *p <= 'f')
                        *p = (char) (*p - 'a' + 'A');
}

static bool is_settled(const SessionInfo *s) {
        for (size_t i = 0; i < ELEMENTSOF(session_attributes); i++)
                if (session_attributes[i].needed && !s->values[session_attributes[i].key].known)
                        return false;

        return strcmp(s->values[SESSION_STATE].text, "FREE") != 0;
}

static int read_attributes(int session, SessionReading *reading) {
        SessionInfo *s = &reading->info;

        for (size_t i = 0; i < ELEMENTSOF(session_attributes); i++) {
                const Attribute *a = session_attributes + i;
                int r = read_value(session, a, session_fields + a->key, s->values + a->key, &reading->fault);

                if (r < 0)
                        return r;
        }
        check_isid(s);

        reading->settled = is_settled(s);
        for (size_t i = 0; i < ELEMENTSOF(negotiated) && !reading->settled; i++)
                s->values[negotiated[i]].known = false;
        return 0;
}

static int open_session(int sysfs, uint32_t number) {
        return open_directory(sysfs, O_PATH, "class/iscsi_session/session%u", number);
}

int session_read(int sysfs, uint32_t number, SessionReading *ret) {
        _cleanup_(session_reading_done) SessionReading reading = {};
        _cleanup_close_ int fd = -1, again = -1;
        int r;

        fd = open_session(sysfs, number);
        if (fd < 0)
                return fd;
        session_set_number(reading.info.values + SESSION_ROLE, ROLE_INITIATOR);
        session_set_number(reading.info.values + SESSION_NUMBER, number);

        r = read_attributes(fd, &reading);
        if (r >= 0)
                r = read_connections(fd, number, &reading);
        if (r >= 0)
                r = read_host(sysfs, number, &reading);
        if (r < 0)
                return r;

        /* What is read of a session that goes away is full of holes. */
        again = open_session(sysfs, number);
        if (again < 0)
                return again;

        *ret = reading;
        reading = (SessionReading){};
        return 0;
}

static bool text_is_same(int directory, const char *attribute, const SessionValue *v) {
        char buf[ATTRIBUTE_MAX];
        int r;

        r = read_text(directory, attribute, buf);
        return v->known ? r >= 0 && v->text && strcmp(buf, v->text) == 0 : r < 0;
}

static bool connection_is_unchanged(int session, uint32_t number, const SessionConnection *c) {
        const SessionValue *port = c->values + CONNECTION_LOCAL_PORT;
        _cleanup_close_ int fd = -1;
        char name[64], buf[ATTRIBUTE_MAX];
        uint64_t v = 0;
        int r;

        (void) snprintf(name, sizeof(name), "connection%u:%u", number, (unsigned) c->values[CONNECTION_ID].number);
        fd = open_directory(session, O_PATH, "device/%s/iscsi_connection/%s", name, name);
        if (fd < 0)
                return false;

        /* A connection that was made anew has another port. */
        r = read_text(fd, "local_port", buf);
        if (r >= 0)
                r = parse_number(buf, UINT16_MAX, &v);
        return (r >= 0) == port->known && (!port->known || v == port->number) &&
               text_is_same(fd, "state", c->values + CONNECTION_STATE);
}

int session_is_unchanged(int sysfs, uint32_t number, const SessionInfo *s) {
        _cleanup_close_ int fd = -1;

        fd = open_session(sysfs, number);
        if (fd < 0)
                return fd == -ENOENT ? -ENOENT : 0;
        if (!text_is_same(fd, "state", s->values + SESSION_STATE))
                return 0;
        for (size_t i = 0; i < s->n_connections; i++)
                if (!connection_is_unchanged(fd, number, s->connections + i))
                        return 0;

        return 1;
}
