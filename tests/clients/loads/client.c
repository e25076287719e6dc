/* client ADDRESS PORT HOST CA FILE...: sends each file as one request when a line comes on its input, and says how that went. */
#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static SSL_CTX *context;

static void fail(const char *what)
{
	fprintf(stderr, "%s failed\n", what);
	exit(1);
}

static SSL *greet(const char *address, int port, const char *host)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	int plain = socket(AF_INET, SOCK_STREAM, 0);
	SSL *tls = SSL_new(context);

	if (inet_pton(AF_INET, address, &to.sin_addr) != 1 || connect(plain, (struct sockaddr *)&to, sizeof(to)))
		fail("connect");
	SSL_set_tlsext_host_name(tls, host);
	SSL_set1_host(tls, host);
	SSL_set_fd(tls, plain);
	if (SSL_connect(tls) != 1)
		fail("handshake");
	return tls;
}

static void say(SSL *tls, const char *data, size_t size)
{
	size_t done = 0;

	if (SSL_write_ex(tls, data, size, &done) != 1 || done != size)
		fail("write");
}

/* The body of the answer is all behind its head: the server closes, and does not chunk for HTTP/1.0. */
static void hear(SSL *tls, char *digest)
{
	static char data[1 << 20];
	unsigned char sum[32];
	size_t size = 0, more;
	char *body;

	while (size < sizeof(data) - 1 && SSL_read_ex(tls, data + size, sizeof(data) - 1 - size, &more) == 1)
		size += more;
	data[size] = 0;
	body = strstr(data, "\r\n\r\n");
	if (!body)
		fail("read");
	body += 4;
	EVP_Digest(body, size - (body - data), sum, NULL, EVP_sha256(), NULL);
	for (int i = 0; i < 32; i++)
		sprintf(digest + 2 * i, "%02x", sum[i]);
}

static void ask(char **argv, const char *file)
{
	static char data[4 << 20];
	char head[512], digest[65];
	FILE *in = fopen(file, "rb");
	size_t size = in ? fread(data, 1, sizeof(data), in) : 0;
	SSL *tls = greet(argv[1], atoi(argv[2]), argv[3]);

	if (!in)
		fail(file);
	fclose(in);
	snprintf(head, sizeof(head), "POST /v1/chat/completions HTTP/1.0\r\nHost: %s\r\nContent-Type: application/json\r\n"
		 "Content-Length: %zu\r\n\r\n", argv[3], size);
	say(tls, head, strlen(head));
	say(tls, data, size);
	hear(tls, digest);
	printf("%s ", digest);
	close(SSL_get_fd(tls));
	SSL_free(tls);
}

int main(int argc, char **argv)
{
	char line[64];

	context = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	if (argc < 5 || SSL_CTX_load_verify_locations(context, argv[4], NULL) != 1)
		fail("the certificate");
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		for (int i = 5; i < argc; i++)
			ask(argv, argv[i]);
		puts("");
		fflush(stdout);
	}
	return 0;
}
