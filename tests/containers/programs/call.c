/* call ADDRESS PORT WORD: one connection, one word there, until the peer closes. Exits with 0 when the peer had it all. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(argc > 3 ? atoi(argv[2]) : 0)};
    int s = socket(AF_INET, SOCK_STREAM, 0);
    if (argc < 4 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1 || connect(s, (struct sockaddr *)&to, sizeof(to)))
        return perror("call"), 1;
    if (write(s, argv[3], strlen(argv[3])) < 0 || shutdown(s, SHUT_WR))
        return perror("call"), 2;
    char answer[16];
    return read(s, answer, sizeof(answer)) != 2;
}
