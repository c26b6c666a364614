/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the `model` backend holds: nodes with their ports, and by TCP port the portals of all. */

#include <uthash.h>

#include "backend/backend.h"

typedef struct MemoryPort MemoryPort;
typedef struct MemoryPortal MemoryPortal;

struct MemoryPortal {
        Portal portal;
        MemoryPortal *next;                      /* of the port, in the order in which they came */
        MemoryPortal *prev_listed, *next_listed; /* of the same TCP port */
};

struct MemoryPort {
        uint64_t identifier;
        bool enabled;
        MemoryPortal *portals;
        UT_hash_handle hh;
};

typedef struct MemoryNode {
        char *name;
        bool exists;
        MemoryPort *ports; /* a hash by identifier, in the order in which they came */
        UT_hash_handle hh;
} MemoryNode;

typedef struct Memory {
        uint16_t role;
        MemoryNode *nodes;
        MemoryPortal *listed[65536]; /* by TCP port */
} Memory;

void memory_done(Memory *m);

/* The node of that name, NULL if there is none that exists. */
MemoryNode *memory_find_node(Memory *m, const char *name);

/* The node of that name, made if need be; a new one does not exist yet. NULL when memory is short. */
MemoryNode *memory_enter_node(Memory *m, const char *name);

/* Forgets N unless it exists. */
void memory_leave_node(Memory *m, MemoryNode *n);

/* A copy of N with its ports, which are in no list. NULL when memory is short. memory_restore() puts it back into the place of N
 * and ends the copy; it needs no memory. */
MemoryNode *memory_save(const MemoryNode *n);
void memory_restore(Memory *m, MemoryNode *n, MemoryNode *saved);
MemoryNode *memory_forget(MemoryNode *n);

/* Does ITEM's work on N, all of it or none. Returns REFUSAL_NONE, or a refusal with a sentence in *RET_WHY (NULL: no memory for
 * it). */
Refusal memory_do(Memory *m, MemoryNode *n, const BackendItem *item, char **ret_why);
