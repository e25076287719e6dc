/* enter DIRECTORY PROGRAM [ARGUMENT]...: runs a program inside a cgroup, with no call of its own there but execve. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv) {
    char path[4096];
    snprintf(path, sizeof(path), "%s/cgroup.procs", argv[1]);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || argc < 3 || write(fd, "0", 1) != 1) {
        perror(path);
        return 99;
    }
    execv(argv[2], argv + 2);
    perror(argv[2]);
    return 98;
}
