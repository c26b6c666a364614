/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The model as its own files see it: the indexes that find each kind's objects. */

#include <stdbool.h>

#include "model/kinds.h"
#include "model/size.h"

struct Model {
        const struct ModelListener *listener;
        void *userdata;
        bool telling;
        ModelCounts counts;

        Service service;
        Object *objects;   /* published, by path */
        Node *aliases;     /* those that have one */
        Node *host_node;   /* model/host-node.h; NULL: there is none */
        Binding *bindings; /* of target ports */
        Port *records;     /* those that have one, through hh_record */
        Session *sessions; /* by number */
        bool sessions_known;

        /* All of a kind, through hh. */
#define KIND(ENUM, Type, name, names, ...) Type *names;
#include "model/kinds.def"
};

/* Takes back what callers made of O: see model_reset(). What the service or another program made stays. */
#define KIND(ENUM, Type, name, ...) void name##_reset(Model *m, Type *o);
#include "model/kinds.def"

/* Doubly linked lists: NEXT leads on, LINK is what points here. */
#define LIST_ADD(head, item, next, link)              \
        do {                                          \
                (item)->next = (head);                \
                if (head)                             \
                        (head)->link = &(item)->next; \
                (item)->link = &(head);               \
                (head) = (item);                      \
        } while (0)

#define LIST_REMOVE(item, next, link)                      \
        do {                                               \
                *(item)->link = (item)->next;              \
                if ((item)->next)                          \
                        (item)->next->link = (item)->link; \
        } while (0)
