/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Files and directories that go away, come back or are replaced, and modes that change, before and while the service uses
 * them. */

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/log.h"
#include "store-fixture.h"

#define RETRY_USEC (30 * G_USEC_PER_SEC)

/* Whatever replaces the file while the service runs, no change goes where it is lost, and what was stored comes back with the
 * file alone. */
static void test_moved(void) {
        char *directory = directory_new();
        g_autofree char *file = store_file(directory, ""), *elsewhere = store_file(directory, ".away"), *list = NULL,
                        *text = NULL;
        TestStore *s;

        store_times.retry_usec = 50 * G_TIME_SPAN_MILLISECOND;
        s = directory_open(directory);
        g_assert_cmpint(change_run(s, 0), ==, 0);

        g_assert_cmpint(rename(file, elsewhere), ==, 0);
        g_assert_cmpint(change_run(s, 1), ==, -ESTALE);
        g_assert_nonnull(strstr(s->why, "moved"));
        g_assert_nonnull(strstr(s->why, "put it back"));
        test_store_wait(s, &s->n_unavailable, 1);
        g_assert_cmpint(s->error, ==, -ESTALE);
        g_assert_cmpint(change_run(s, 1), ==, -ESTALE);
        g_assert_cmpstr(s->why, ==, s->fault);

        /* No new one is begun in its place, however often it looks. */
        g_usleep(200 * G_TIME_SPAN_MILLISECOND);
        g_assert_false(g_file_test(file, G_FILE_TEST_EXISTS));

        g_assert_cmpint(rename(elsewhere, file), ==, 0);
        test_store_wait(s, &s->n_opened, 2);
        g_assert_cmpstr(s->image, ==, state_after(1));
        g_assert_cmpint(change_run(s, 1), ==, 0);
        store_times.retry_usec = RETRY_USEC;
        test_store_close(s);

        text = directory_dump(directory);
        g_assert_cmpstr(text, ==, state_after(2));
        list = directory_list(directory);
        g_assert_cmpstr(list, ==, "ports.db ");
        directory_remove(directory);
}

/* A backup is put in its place under the service's hands: nothing of the old one gets into it. */
static void test_replaced(void) {
        char *directory = directory_new(), *other = directory_new();
        g_autofree char *file = store_file(directory, ""), *elsewhere = store_file(directory, ".away"),
                        *backup = store_file(other, ""), *old = NULL, *text = NULL, *away = NULL;
        TestStore *s = directory_open(other);

        for (unsigned i = 0; i < 3; i++)
                g_assert_cmpint(change_run(s, i), ==, 0);
        test_store_close(s);

        store_times.retry_usec = 50 * G_TIME_SPAN_MILLISECOND;
        s = directory_open(directory);
        for (unsigned i = 0; i < 5; i++)
                g_assert_cmpint(change_run(s, i), ==, 0);
        g_assert_cmpint(rename(file, elsewhere), ==, 0);
        g_assert_cmpint(rename(backup, file), ==, 0);
        g_assert_cmpint(change_run(s, 5), ==, -ESTALE);
        test_store_wait(s, &s->n_opened, 2);
        store_times.retry_usec = RETRY_USEC;
        g_assert_cmpstr(s->image, ==, state_after(3));
        g_assert_cmpint(change_run(s, 3), ==, 0);
        test_store_close(s);

        text = directory_dump(directory);
        g_assert_cmpstr(text, ==, state_after(4));

        /* And the old one has all that it had, without its write-ahead log. */
        g_assert_cmpint(rename(elsewhere, backup), ==, 0);
        away = directory_dump(other);
        g_assert_cmpstr(away, ==, state_after(5));
        directory_remove(directory);
        directory_remove(other);
}

/* Somebody changes the mode of a directory above: the file is where it was, so nothing says that it was moved. */
static int run_below_closed_directory(const char *parent) {
        g_autofree char *directory = g_build_filename(parent, "state", NULL);
        TestStore *s;

        if (setgid(65534) < 0 || setuid(65534) < 0)
                return 255;

        store_times.retry_usec = 50 * G_TIME_SPAN_MILLISECOND;
        s = directory_open(directory);
        g_assert_cmpint(change_run(s, 0), ==, 0);

        /* Above the directory: all goes on, since the directory is open. */
        g_assert_cmpint(chmod(parent, 0600), ==, 0);
        g_assert_cmpint(change_run(s, 1), ==, 0);
        g_assert_cmpint(chmod(parent, 0700), ==, 0);

        /* The directory itself: the change is refused, and the store stays open. */
        g_assert_cmpint(chmod(directory, 0600), ==, 0);
        g_assert_cmpint(change_run(s, 2), ==, -EROFS);
        g_assert_nonnull(strstr(s->why, "Permission denied"));
        g_assert_null(strstr(s->why, "moved"));
        g_assert_cmpuint(s->n_unavailable, ==, 0);
        g_assert_cmpint(chmod(directory, 0700), ==, 0);
        g_assert_cmpint(change_run(s, 2), ==, 0);
        test_store_close(s);

        /* The same at a start. */
        g_assert_cmpint(chmod(parent, 0600), ==, 0);
        s = test_store_new(directory);
        g_assert_cmpint(s->error, ==, -EACCES);
        g_assert_nonnull(strstr(s->fault, "accessible"));
        g_assert_cmpint(chmod(parent, 0700), ==, 0);
        test_store_wait(s, &s->n_opened, 1);
        g_assert_cmpstr(s->image, ==, state_after(3));
        test_store_close(s);
        return 0;
}

static void test_closed_directory(void) {
        char *parent;

        if (geteuid() != 0) {
                g_test_skip("needs root, to become someone whom modes bind");
                return;
        }

        parent = directory_new();
        g_assert_cmpint(chown(parent, 65534, 65534), ==, 0);
        g_assert_cmpint(in_child(run_below_closed_directory, parent), ==, 0);
        directory_remove(parent);
}

/* The directory is not there yet, as on a file system that is mounted late. */
static void test_unreachable_then_reachable(void) {
        char *parent = directory_new();
        g_autofree char *mount_point = g_build_filename(parent, "mount", NULL),
                        *directory = g_build_filename(mount_point, "state", NULL);
        TestStore *s;

        store_times.retry_usec = 50 * G_TIME_SPAN_MILLISECOND;
        s = test_store_new(directory);
        g_assert_cmpint(s->error, ==, -ENOENT);
        g_assert_cmpint(change_run(s, 0), ==, -ENOENT);
        g_assert_cmpstr(s->why, ==, s->fault);
        g_usleep(200 * G_TIME_SPAN_MILLISECOND);
        g_assert_cmpint(g_mkdir(mount_point, 0700), ==, 0);
        test_store_wait(s, &s->n_opened, 1);
        g_assert_cmpuint(s->n_unavailable, ==, 1);
        g_assert_cmpint(change_run(s, 0), ==, 0);
        test_store_close(s);

        /* When asked to, it does not wait for its time. */
        store_times.retry_usec = RETRY_USEC;
        {
                g_autofree char *away = g_build_filename(parent, "away", NULL);

                g_assert_cmpint(rename(mount_point, away), ==, 0);
                s = test_store_new(directory);
                g_assert_cmpint(s->error, ==, -ENOENT);
                g_assert_cmpint(rename(away, mount_point), ==, 0);
                store_try_again(s->store);
                test_store_wait(s, &s->n_opened, 1);
                g_assert_cmpstr(s->image, ==, state_after(1));
                test_store_close(s);
        }

        directory_remove(parent);
}

int main(int argc, char **argv) {
        int r;

        g_test_init(&argc, &argv, NULL);
        log_set_max_level(LOG_EMERG); /* what is logged is known */

        g_test_add_func("/store-moved/moved", test_moved);
        g_test_add_func("/store-moved/replaced", test_replaced);
        g_test_add_func("/store-moved/closed-directory", test_closed_directory);
        g_test_add_func("/store-moved/unreachable-then-reachable", test_unreachable_then_reachable);
        r = g_test_run();

        states_free();
        return r;
}
