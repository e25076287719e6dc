/* A process whose first call is getppid, and whose only other one is exit. No C library: it would call before us. */
static long call(long number, long argument) {
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(argument) : "rcx", "r11", "memory");
    return result;
}

void _start(void) {
    call(110, 0);
    call(60, 0);
}
