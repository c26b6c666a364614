/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the store's tests share: directories of their own, a store's whole content as text, and one sequence of changes that uses
 * every function, with the text that stands after each of them. */

#include <glib.h>
#include <sqlite3.h>

#include "store/internal.h"

/* A new directory's path, g_malloc'ed; the second removes it with all that is in it and frees the path. */
char *directory_new(void);
void directory_remove(char *path);

/* DIRECTORY/ports.db<suffix>, g_malloc'ed. */
char *store_file(const char *directory, const char *suffix);

/* Copies the file and its WAL and journal, but no -shm, as a crash would leave them, into a new directory. */
char *directory_copy(const char *directory);

/* The names in it, sorted, with one blank behind each. */
char *directory_list(const char *directory);

/* Runs F in a process of its own and returns its exit status. */
int in_child(int (*f)(const char *directory), const char *directory);

Portal portal(const char *text);    /* "10.0.0.1:3260" */
Portal ip_portal(const char *text); /* "10.0.0.1": an initiator's, with port 0 */

/* A store with an event loop of its own, and what it has told so far. */
typedef struct TestStore {
        sd_event *event;
        Store *store;
        char *directory;
        unsigned n_opened, n_unavailable;
        int error;   /* of the last fault, or 0: it is open */
        char *fault; /* its sentence */
        char *image; /* of the last time it was opened, as text */
        uint64_t next_group_id, next_journal_id;
        int result; /* of the last commit */
        char *why;  /* its sentence, NULL: it succeeded */
} TestStore;

/* Starts it, and waits until it has told whether it can be opened. */
TestStore *test_store_new(const char *directory);

/* Closes and frees it. Returns NULL. */
TestStore *test_store_close(TestStore *s);

/* Serves the store's events until *N is at least WANTED. */
void test_store_wait(TestStore *s, const unsigned *n, unsigned wanted);

/* Opens, which must succeed. */
TestStore *directory_open(const char *directory);

/* Opens and closes. Returns 0 or the fault's error, with its sentence in *RET_WHY (g_malloc'ed; can be NULL). */
int directory_try(const char *directory, char **ret_why);

/* Stores a change set, which is taken, or one with a single operation, and waits for the result. */
int change_commit(TestStore *s, StoreChange *c);
int operation_commit(TestStore *s, const StoreOperation *op);

StoreChange *change_of(const StoreOperation *op);

typedef StoreOperation StorePort; /* a port to add: it is enabled, and the verb need not be set */

/* Single changes, as the service makes them. */
int add_node(TestStore *s, const char *name, const char *alias, unsigned roles);
int remove_node(TestStore *s, const char *name);
int add_port(TestStore *s, const StorePort *port);
int remove_port(TestStore *s, const char *node, uint64_t identifier);
int add_binding(TestStore *s, const char *node, uint64_t identifier, const Portal *p);
int remove_binding(TestStore *s, const char *node, uint64_t identifier, const Portal *p);
int add_tcp_endpoint(TestStore *s, const Portal *p, uint64_t group);
int remove_tcp_endpoint(TestStore *s, const Portal *p);
int add_portal_group(TestStore *s, uint64_t id, const char *element_name);
int remove_portal_group(TestStore *s, uint64_t id);
int add_member(TestStore *s, uint64_t group, const Portal *p);
int remove_member(TestStore *s, uint64_t group, const Portal *p);

/* Everything in the file, a line for each object; read past the store, on a connection of its own. */
char *store_dump(TestStore *s);

/* Opens, which must succeed, and returns the image that the store gives out. */
char *directory_dump(const char *directory);

/* The same text of an image. */
char *image_dump(const StoreImage *image);

/* SQL on the file past the store, on a connection of its own. */
sqlite3 *raw_open(const char *directory);
void raw_exec(sqlite3 *db, const char *sql);
int raw_integer(sqlite3 *db, const char *sql);

#define CHANGES_MAX 32
extern const unsigned n_changes;
int change_run(TestStore *s, unsigned i);

/* The dump after the first N changes, 0 ≤ N ≤ n_changes; made on first use. */
const char *state_after(unsigned n);
void states_free(void);
