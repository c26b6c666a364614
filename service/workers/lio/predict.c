/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "workers/lio/predict.h"

#include <string.h>
#include <sys/socket.h>

#include "common/macro.h"

/* The kernel's comparison as data: which bytes of the two socket addresses it holds against each other, by the family of the new one.
 * What a family does not use of its socket address is zero. (iscsit_check_np_match()) */
static const struct {
        int family;
        size_t offset, size;
} compared_bytes[] = {
        { AF_INET, offsetof(struct sockaddr_in, sin_addr), sizeof(struct in_addr) },
        { AF_INET6, offsetof(struct sockaddr_in6, sin6_addr), sizeof(struct in6_addr) },
};

/* The socket address that the kernel keeps of a portal. */
static void portal_to_record(const Portal *p, struct sockaddr_storage *ret) {
        *ret = (struct sockaddr_storage){};

        if (p->address.family == AF_INET) {
                struct sockaddr_in *in = (struct sockaddr_in *) ret;

                in->sin_family = AF_INET;
                in->sin_port = htons(p->port);
                in->sin_addr = p->address.in;
        } else {
                struct sockaddr_in6 *in6 = (struct sockaddr_in6 *) ret;

                in6->sin6_family = AF_INET6;
                in6->sin6_port = htons(p->port);
                in6->sin6_addr = p->address.in6;
        }
}

bool portal_kernel_equal(const Portal *a, const Portal *b) {
        struct sockaddr_storage x, y;

        if (a->port != b->port)
                return false;

        portal_to_record(a, &x);
        portal_to_record(b, &y);

        for (size_t i = 0; i < ELEMENTSOF(compared_bytes); i++)
                if (compared_bytes[i].family == a->address.family)
                        return memcmp((const char *) &x + compared_bytes[i].offset, (const char *) &y + compared_bytes[i].offset,
                                      compared_bytes[i].size) == 0;

        return false;
}

bool portal_overlaps(const Portal *a, bool a_v6_only, const Portal *b, bool b_v6_only) {
        bool any_a = ip_address_is_wildcard(&a->address), any_b = ip_address_is_wildcard(&b->address);

        if (a->port != b->port || portal_compare(a, b) == 0)
                return false;

        if (a->address.family == b->address.family)
                return any_a || any_b;

        if (a->address.family == AF_INET6)
                return any_a && !a_v6_only;
        return any_b && !b_v6_only;
}

Refusal portal_predict(const Portal *portal, const char *node, uint16_t tag, bool v6_only, const PortalUse *uses, size_t n,
                       const PortalUse **ret_other) {
        const PortalUse *shared = NULL, *shadow = NULL, *overlap = NULL;

        *ret_other = NULL;

        for (size_t i = 0; i < n; i++) {
                const PortalUse *u = uses + i;

                if (portal_compare(portal, &u->portal) == 0) {
                        if (strcmp(u->node, node) == 0 && u->tag != tag) {
                                *ret_other = u;
                                return REFUSAL_TCP_IN_USE;
                        }
                        if (!shared || u->listening)
                                shared = u;
                } else if (portal_kernel_equal(portal, &u->portal)) {
                        /* Within a node the kernel refuses it whatever else there is, so that one is the better explanation. */
                        if (!shadow || strcmp(u->node, node) == 0)
                                shadow = u;
                } else if (u->listening && portal_overlaps(portal, v6_only, &u->portal, u->v6_only))
                        overlap = u;
        }

        /* A socket of its very own can only have come before anything that is mistaken for it, so the kernel finds it first. Within
         * the node any mistaken one is in the way. */
        if (shared && shared->listening && !(shadow && strcmp(shadow->node, node) == 0)) {
                *ret_other = shared;
                return REFUSAL_NONE;
        }

        if (shadow) {
                *ret_other = shadow;
                return REFUSAL_PORTAL_SHADOWED;
        }

        /* It is there by name, but does not listen: the kernel took it for another one when it was made, and would do so again. */
        if (shared) {
                *ret_other = shared;
                return REFUSAL_PORTAL_SHADOWED;
        }

        if (overlap) {
                *ret_other = overlap;
                return REFUSAL_ADDRESS_OVERLAP;
        }

        return REFUSAL_NONE;
}

int portal_compare_for_making(const void *a, const void *b) {
        const Portal *x = a, *y = b;
        bool any_x = ip_address_is_wildcard(&x->address), any_y = ip_address_is_wildcard(&y->address);

        if (any_x != any_y)
                return any_x ? -1 : 1;

        return portal_compare(x, y);
}
