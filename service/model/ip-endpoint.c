/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "model/ip-endpoint.h"

#include <errno.h>
#include <string.h>

#include "model/object.h"
#include "model/private.h"

size_t size_of_ip_endpoint(const IpEndpoint *ip) {
        return SIZE_OF_OBJECT + SIZE_OF_PATH_ROOT + size_of_element(ip->name) + (ip->element_name ? strlen(ip->element_name) : 0);
}

IpEndpoint *model_find_ip_endpoint(Model *m, const IpAddress *address) {
        char text[IP_ADDRESS_TEXT_MAX];
        IpEndpoint *ip;

        ip_address_to_text(address, text);
        HASH_FIND_STR(m->ip_endpoints, text, ip);
        return ip;
}

void model_remove_ip_endpoint(Model *m, IpEndpoint *ip) {
        object_retract(m, &ip->object);
        if (ip->declared)
                m->counts.ip_endpoints--;
        m->counts.automatic_bytes -= size_of_ip_endpoint(ip);
        HASH_DELETE(hh, m->ip_endpoints, ip);
        free(ip->name);
        free(ip->element_name);
        free(ip);
}

void endpoint_release_ip(Model *m, IpEndpoint *ip) {
        if (!ip_endpoint_is_known(ip) && !ip->tcp_endpoints && !ip->bound_by)
                model_remove_ip_endpoint(m, ip);
}

int endpoint_acquire_ip(Model *m, const IpAddress *a, IpEndpoint **ret) {
        char text[IP_ADDRESS_TEXT_MAX];
        IpEndpoint *ip;

        ip = model_find_ip_endpoint(m, a);
        if (!ip) {
                ip = calloc(1, sizeof(*ip));
                if (!ip)
                        return -ENOMEM;
                ip->object.type = OBJECT_IP_ENDPOINT;
                ip->address = *a;
                ip->name = strdup(ip_address_to_text(a, text));
                if (!ip->name) {
                        free(ip);
                        return -ENOMEM;
                }
                HASH_ADD_KEYPTR(hh, m->ip_endpoints, ip->name, strlen(ip->name), ip);
                m->counts.automatic_bytes += size_of_ip_endpoint(ip);
        }

        *ret = ip;
        return 0;
}
