/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "scripted-worker.h"

#include <errno.h>
#include <glib.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "common/macro.h"

/* Code that runs in a worker must not use GTest: its lines would end up in the test's protocol. */
#define MUST(expression) ((expression) ? (void) 0 : abort())

/* Writes M's arguments as they are, whatever their signature: ("x", 1, [("y", 2)]). */
static void write_arguments(sd_bus_message *m, FILE *f) {
        const char *contents;
        bool first = true;
        char type;

        for (; sd_bus_message_peek_type(m, &type, &contents) > 0; first = false) {
                union {
                        const char *s;
                        uint16_t q;
                } v;

                fputs(first ? "" : ", ", f);
                switch (type) {
                case 's':
                        MUST(sd_bus_message_read_basic(m, type, &v) > 0);
                        fprintf(f, "\"%s\"", v.s);
                        break;
                case 'q':
                        MUST(sd_bus_message_read_basic(m, type, &v) > 0);
                        fprintf(f, "%u", v.q);
                        break;
                case 'a':
                case 'r':
                        MUST(sd_bus_message_enter_container(m, type, contents) > 0);
                        fputc(type == 'a' ? '[' : '(', f);
                        write_arguments(m, f);
                        fputc(type == 'a' ? ']' : ')', f);
                        MUST(sd_bus_message_exit_container(m) >= 0);
                        break;
                default:
                        abort();
                }
        }
}

static void take_down(Script *script, sd_bus_message *m) {
        unsigned i = __atomic_fetch_add(&script->n_taken, 1, __ATOMIC_SEQ_CST);
        FILE *f;

        if (i < SCRIPT_SEEN_MAX) {
                f = fmemopen(script->seen[i], sizeof(script->seen[i]), "w");
                MUST(f);
                fprintf(f, "%s %s.%s %s(", sd_bus_message_get_path(m), sd_bus_message_get_interface(m),
                        sd_bus_message_get_member(m), sd_bus_message_get_signature(m, true));
                write_arguments(m, f);
                fputc(')', f);
                fclose(f);
        }

        /* Only now may the test look. */
        __atomic_fetch_add(&script->n_seen, 1, __ATOMIC_SEQ_CST);
}

static uint16_t tag_of(sd_bus_message *m) {
        uint16_t tag;

        MUST(sd_bus_message_rewind(m, true) >= 0);
        MUST(sd_bus_message_read(m, "sq", NULL, &tag) > 0);
        return tag;
}

static void append_observation(sd_bus_message *m, Behaviour behaviour, unsigned n) {
        char name[300];
        int r;

        switch (behaviour) {
        case WORKER_OBSERVES:
                r = sd_bus_message_append(m, "a(sa(qba(sqb)))", 3,           /* nodes */
                                          "iqn.2024-01.org.example:none", 0, /* no port */
                                          "iqn.2024-01.org.example:two", 2,  /* two ports */
                                          1, true, 3,                        /* … three portals */
                                          "10.0.0.1", 3260, true, "fe80::1%eth0", 3261, false, "::", 860, true, /* … */
                                          65535, false, 0,                                                      /* … none */
                                          "naa.52004567ba64678d", 1, 0, false, 1, "127.0.0.1", 65535, true);
                break;
        case WORKER_OBSERVES_ODDITIES:
                memset(name, 'n', 224);
                name[224] = '\0';
                r = sd_bus_message_append(m, "a(sa(qba(sqb)))", 5, "", 1, 1, true, 1, "10.0.0.1", 3260, true, /* no name */
                                          name, 1, 1, true, 1, "10.0.0.1", 3260, true,                        /* too long */
                                          "iqn.2024-01.org.example:a\nb", 0,               /* control character */
                                          name + 1, 1, 1, true, 1, "10.0.0.2", 3260, true, /* just right */
                                          "iqn.2024-01.org.example:odd", 1, 4, true, 12,   /* bad portals */
                                          "10.0.0.1", 0, true, "", 1, true, "10.0.0.256", 1, true, "[::1]", 1, true, "fe80::1", 1,
                                          true, "::ffff:10.0.0.1", 1, true, "10.0.0.1%eth0", 1, true, "host", 1, true,
                                          "224.0.0.1", 1, true, "ff02::1", 1, true, "10.0.0.3", 3260, true, "0010.0.0.3", 3260,
                                          true);
                break;
        case WORKER_OBSERVES_MANY_NODES:
                MUST(sd_bus_message_open_container(m, 'a', "(sa(qba(sqb)))") >= 0);
                for (unsigned i = 0; i < n; i++)
                        MUST(sd_bus_message_append(m, "(sa(qba(sqb)))", "iqn.2024-01.org.example:n", 0) >= 0);
                r = sd_bus_message_close_container(m);
                break;
        case WORKER_OBSERVES_MANY_PORTS:
        case WORKER_OBSERVES_MANY_PORTALS:
                MUST(sd_bus_message_open_container(m, 'a', "(sa(qba(sqb)))") >= 0);
                MUST(sd_bus_message_open_container(m, 'r', "sa(qba(sqb))") >= 0);
                MUST(sd_bus_message_append(m, "s", "iqn.2024-01.org.example:n") >= 0);
                MUST(sd_bus_message_open_container(m, 'a', "(qba(sqb))") >= 0);
                if (behaviour == WORKER_OBSERVES_MANY_PORTS)
                        for (unsigned i = 0; i < n; i++)
                                MUST(sd_bus_message_append(m, "(qba(sqb))", i & 0xffff, true, 0) >= 0);
                else {
                        MUST(sd_bus_message_open_container(m, 'r', "qba(sqb)") >= 0);
                        MUST(sd_bus_message_append(m, "qb", 1, true) >= 0);
                        MUST(sd_bus_message_open_container(m, 'a', "(sqb)") >= 0);
                        for (unsigned i = 0; i < n; i++)
                                MUST(sd_bus_message_append(m, "(sqb)", "::", 3260, true) >= 0);
                        MUST(sd_bus_message_close_container(m) >= 0);
                        MUST(sd_bus_message_close_container(m) >= 0);
                }
                MUST(sd_bus_message_close_container(m) >= 0);
                MUST(sd_bus_message_close_container(m) >= 0);
                r = sd_bus_message_close_container(m);
                break;
        default:
                r = sd_bus_message_append(m, "a(sa(qba(sqb)))", 0);
        }
        MUST(r >= 0);
}

static void reply_with_success(sd_bus_message *call, Behaviour behaviour, unsigned n_many) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;

        MUST(sd_bus_message_new_method_return(call, &m) >= 0);
        if (behaviour == WORKER_MISREPLIES)
                MUST(sd_bus_message_append(m, "(ss)", "not", "this") >= 0);
        else if (strcmp(sd_bus_message_get_member(call), "Observe") == 0)
                append_observation(m, behaviour, n_many);
        MUST(sd_bus_send(NULL, m, NULL) >= 0);
}

static int on_call(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        static const char noise[] = "220 mail.example.org ESMTP ready: this is another kind of server\r\n";
        sd_bus *bus = sd_bus_message_get_bus(m);
        Script *script = userdata;
        Behaviour behaviour = script->behaviour; /* the test may change it once it sees the call */

        if (sd_bus_message_is_method_call(m, NULL, NULL) <= 0)
                return 0;

        take_down(script, m);

        switch (behaviour) {
        case WORKER_HANGS:
                for (;;)
                        (void) pause();
        case WORKER_CRASHES:
                raise(SIGKILL);
                break;
        case WORKER_FAILS:
                MUST(sd_bus_reply_method_errorf(m, script->error_name, "%s", script->error_message) >= 0);
                return 1;
        case WORKER_MAKES_NOISE:
                MUST(write(sd_bus_get_fd(bus), noise, sizeof(noise)) == (ssize_t) sizeof(noise));
                return 1;
        case WORKER_WAITS: {
                uint16_t tag = tag_of(m);

                while (__atomic_load_n(&script->n_released, __ATOMIC_SEQ_CST) <= tag)
                        (void) usleep(500);
                break;
        }
        case WORKER_SLOW:
                (void) usleep(150 * 1000);
                break;
        default:
                break;
        }

        reply_with_success(m, behaviour, script->n_many);
        if (behaviour == WORKER_SUCCEEDS_AND_EXITS) {
                (void) sd_bus_flush(bus);
                _exit(EXIT_SUCCESS);
        }

        return 1;
}

static _Noreturn void work(int fd, Script *script) {
        sd_bus *bus;
        sd_id128_t id;
        int r;

        /* The test's own ends of the connections must not live on here. */
        MUST(close_range(3, (unsigned) fd - 1, 0) == 0);
        MUST(close_range((unsigned) fd + 1, ~0U, 0) == 0);
        MUST(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);

        MUST(sd_bus_new(&bus) >= 0);
        MUST(sd_bus_set_fd(bus, fd, fd) >= 0);
        MUST(sd_id128_randomize(&id) >= 0);
        MUST(sd_bus_set_server(bus, true, id) >= 0);
        MUST(sd_bus_add_filter(bus, NULL, on_call, script) >= 0);
        MUST(sd_bus_start(bus) >= 0);

        do {
                r = sd_bus_process(bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(bus, UINT64_MAX);
        } while (r >= 0);

        _exit(EXIT_SUCCESS);
}

static int on_worker_ended(sd_event_source *s, const siginfo_t *si, void *userdata) {
        WorkerHost *h = userdata;

        for (unsigned i = 0; i < h->n_workers; i++)
                if (h->workers[i] == si->si_pid) {
                        h->workers[i] = h->workers[--h->n_workers];

                        /* Else it would keep a descriptor of the process until the event loop ends. */
                        g_assert_cmpint(sd_event_source_set_floating(s, false), >=, 0);
                        return 0;
                }

        g_assert_not_reached();
}

static int on_accept(sd_event_source *s, int listen_fd, uint32_t events, void *userdata) {
        WorkerHost *h = userdata;
        pid_t pid;
        int fd;

        if (h->mode == HOST_IGNORES) {
                g_assert_cmpint(sd_event_source_set_enabled(s, SD_EVENT_OFF), >=, 0);
                return 0;
        }

        fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) {
                g_assert_true(errno == EAGAIN || errno == ECONNABORTED);
                return 0;
        }
        h->n_accepted++;

        if (h->mode == HOST_IS_SILENT) {
                h->silent = g_renew(int, h->silent, h->n_silent + 1);
                h->silent[h->n_silent++] = fd;
                return 0;
        }

        if (h->mode == HOST_SERVES) {
                pid = fork();
                g_assert_cmpint(pid, >=, 0);
                if (pid == 0)
                        work(fd, h->script);

                h->workers = g_renew(pid_t, h->workers, h->n_workers + 1);
                h->workers[h->n_workers++] = pid;
                h->n_workers_max = MAX(h->n_workers_max, h->n_workers);
                g_assert_cmpint(sd_event_add_child(h->event, NULL, pid, WEXITED, on_worker_ended, h), >=, 0);
        }

        (void) close(fd);
        return 0;
}

WorkerHost *worker_host_new(sd_event *event, const char *name, int backlog) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        WorkerHost *h = g_new0(WorkerHost, 1);

        h->event = sd_event_ref(event);
        h->directory = g_dir_make_tmp("test-backend-XXXXXX", NULL);
        g_assert_nonnull(h->directory);
        h->path = g_build_filename(h->directory, name, NULL);

        h->script = mmap(NULL, sizeof(Script), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        g_assert_true(h->script != MAP_FAILED);

        h->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        g_assert_cmpint(h->fd, >=, 0);
        g_assert_cmpuint(g_strlcpy(address.sun_path, h->path, sizeof(address.sun_path)), <, sizeof(address.sun_path));
        g_assert_no_errno(bind(h->fd, (struct sockaddr *) &address, sizeof(address)));
        g_assert_no_errno(listen(h->fd, backlog));
        g_assert_cmpint(sd_event_add_io(event, &h->accept, h->fd, EPOLLIN, on_accept, h), >=, 0);

        return h;
}

void worker_host_free(WorkerHost *h) {
        /* Not by way of the event loop: it may have ended. */
        for (unsigned i = 0; i < h->n_workers; i++) {
                g_assert_no_errno(kill(h->workers[i], SIGKILL));
                g_assert_cmpint(waitpid(h->workers[i], NULL, 0), ==, h->workers[i]);
        }

        for (unsigned i = 0; i < h->n_silent; i++)
                (void) close(h->silent[i]);

        sd_event_source_disable_unref(h->accept);
        sd_event_unref(h->event);
        (void) close(h->fd);
        (void) unlink(h->path);
        g_assert_no_errno(rmdir(h->directory));
        g_assert_no_errno(munmap(h->script, sizeof(Script)));
        g_free(h->workers);
        g_free(h->silent);
        g_free(h->directory);
        g_free(h->path);
        g_free(h);
}
