/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The fake kernel: LIO's part of configfs as directories and files below ROOT, with the kernel's rules. Its functions do what
 * mkdir, rmdir and write do there, return 0 or the errno that the kernel would give (negative), and give no reasons, as the
 * kernel gives none:
 *
 *      ROOT/target/iscsi/NODE/tpgt_1/enable                 "1" or "0" and a newline
 *      ROOT/target/iscsi/NODE/tpgt_1/np/127.0.0.1:3260/     a portal; the file `socket` in it names the socket that it really has
 *      ROOT/target/iscsi/NODE/tpgt_1/lun/lun_0/             a LUN; its link leads to what it exports
 *      ROOT/target/iscsi/NODE/tpgt_1/acls/INITIATOR/        an initiator that is let in
 *      ROOT/target/iscsi/NODE/tpgt_1/dynamic_sessions       the names of initiators that are logged in, a line each
 *      ROOT/sockets, ROOT/listeners                         see socket-table.h
 *      ROOT/interfaces                                      "eth0 2" a line; as long as there is no such file every interface
 *      exists
 *
 * The tree has configfs' own shape, so that what watches one can watch the other. A state that cannot be read or written ends the
 * process: the test is wrong then. Callers hold kernel_lock(). */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "socket-table.h"

/* Waits for whoever uses the kernel in ROOT. Returns a descriptor; closing it lets the next one in. */
int kernel_lock(const char *root);

/* A path below the fabric's directory, of names (NULL-terminated). */
char *kernel_path(const char *root, ...) G_GNUC_NULL_TERMINATED;

/* The names of the directories at that place, in the order of strcmp(); free with g_strfreev(). */
char **kernel_list(const char *path);

/* The index of an interface, 0 if there is none of that name. */
unsigned kernel_interface(const char *root, const char *name);

/* Reads a portal as the kernel does: more spellings than the canonical one. Returns 0 or -EINVAL. */
int kernel_parse_portal(const char *root, const char *name, Endpoint *ret);

/* Reads the tag in the name of a directory as the kernel does; -EINVAL if it has none. */
int kernel_parse_tag(const char *name, uint16_t *ret);

int kernel_mkdir_node(const char *root, const char *node);
int kernel_rmdir_node(const char *root, const char *node);
int kernel_mkdir_port(const char *root, const char *node, const char *port);
int kernel_rmdir_port(const char *root, const char *node, const char *port);
int kernel_mkdir_portal(const char *root, const char *node, const char *port, const char *portal);
int kernel_rmdir_portal(const char *root, const char *node, const char *port, const char *portal);
int kernel_enable(const char *root, const char *node, const char *port, bool enabled);
bool kernel_is_enabled(const char *root, const char *node, const char *port);

/* Takes the socket away from a portal: it is there by name and listens nowhere. */
int kernel_deafen_portal(const char *root, const char *node, const char *port, const char *portal);

/* The socket that a portal really has; false: none. And whether that is the one that it is called after. */
bool kernel_portal_socket(const char *root, const char *node, const char *port, const char *portal, Endpoint *ret);
bool kernel_portal_listens(const char *root, const char *node, const char *port, const char *portal);

/* What others put into ports. */
int kernel_add_lun(const char *root, const char *node, const char *port, const char *lun);
int kernel_add_acl(const char *root, const char *node, const char *port, const char *initiator, const char *password);
bool kernel_port_has_contents(const char *root, const char *node, const char *port);
void kernel_set_sessions(const char *root, const char *node, const char *port, const char *initiators);
char *kernel_sessions(const char *root, const char *node, const char *port); /* "" if there are none */

/* Moves LUNs and ACLs of a port to a place outside the fabric, and back. */
void kernel_set_contents_aside(const char *root, const char *node, const char *port, const char *place);
void kernel_take_contents_back(const char *root, const char *node, const char *port, const char *place);

void kernel_remove_tree(const char *path);
void kernel_copy_tree(const char *from, const char *to);
