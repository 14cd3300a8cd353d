/* A whole trainer in one file: docs/protocol.md says what it must do, this does it, with nothing
 * but libzmq and cJSON.   trainer_c ADDRESS [TOKEN_FILE]   Its trials walk down a parabola, a step
 * every `trainer.config.delay_ms`; what is durable is printed: trial, attempt, seq. */
#define _DEFAULT_SOURCE
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include <zmq.h>
enum { WINDOW = 256, TEXT = 1024 }; /* unacknowledged reports of one attempt; bytes of a message */
static void *context, *sock, *watch;
static char *address, token[128], end[16]; /* end: of the work; "" while it runs */
static cJSON *welcome, *work;      /* work: the ASSIGN held until its DONE is acknowledged */
static char reports[WINDOW][TEXT]; /* acknowledged+1 ... seq, each at seq % WINDOW */
static int step, seq, acknowledged, leaving;
static double heard, beat_at, next_step; /* seconds */
static double now(void) { return 1e-6 * (double)zmq_stopwatch_intermediate(watch); }
static double number(const cJSON* body, const char* name, double otherwise) {
  const cJSON* found = cJSON_GetObjectItem(body, name);
  if (cJSON_IsBool(found)) return cJSON_IsTrue(found);
  return cJSON_IsNumber(found) ? found->valuedouble : otherwise;
}
static const char* word(const cJSON* body, const char* name) {
  const char* found = cJSON_GetStringValue(cJSON_GetObjectItem(body, name));
  return found ? found : "";
}
static int is_ours(const cJSON* body) {
  return work && number(body, "trial", -1) == number(work, "trial", 0) &&
         number(body, "attempt", -1) == number(work, "attempt", 0);
}
static int names_ours(const cJSON* body, const char* list) { /* with one slot: at most one entry */
  return is_ours(cJSON_GetArrayItem(cJSON_GetObjectItem(body, list), 0));
}
static void put(const char* verb, const char* body) {
  /* What cannot be sent now is offered again with the next BEAT. */
  if (zmq_send(sock, "BTP1", 4, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0) return;
  zmq_send(sock, verb, strlen(verb), ZMQ_SNDMORE);
  zmq_send(sock, body, strlen(body), 0);
}
static void put_about(const char* verb, char* text, const char* more) { /* REPORT, DONE, Held */
  snprintf(text, TEXT, "{\"trial\":%.0f,\"attempt\":%.0f,\"step\":%d,%s}",
           number(work, "trial", -1), number(work, "attempt", -1), step, more);
  if (verb) put(verb, text);
}
static void put_held(const char* verb, const char* more) { /* HELLO, BEAT */
  char text[2 * TEXT], held[TEXT] = "", last_seq[64];
  snprintf(last_seq, sizeof last_seq, "\"last_seq\":%d", seq);
  if (work) put_about(NULL, held, last_seq);
  snprintf(text, sizeof text, "{%s,\"held\":[%s]}", more, held), put(verb, text);
}
static void end_with(const char* how) {
  char text[TEXT], more[64];
  if (how != end) snprintf(end, sizeof end, "%s", how);
  snprintf(more, sizeof more, "\"final_seq\":%d,\"end\":\"%s\"", seq, end);
  put_about("DONE", text, more);
}
static void offer_all(void) { /* what is not acknowledged, in order; then the credit, absolute */
  for (int i = acknowledged + 1; i <= seq; ++i) put("REPORT", reports[i % WINDOW]);
  if (end[0]) end_with(end);
  put("READY", work || leaving ? "{\"credit\":0}" : "{\"credit\":1}");
}
static void hold(const cJSON* assign) {
  cJSON_Delete(work);
  work = cJSON_Duplicate(assign, 1); /* NULL: nothing */
  step = (int)number(work, "from", 0), seq = acknowledged = end[0] = 0;
  next_step = now();
}
static void open_session(void) { /* a new connection begins with everything that is held */
  const int linger = 1000, wait = 5;
  unsigned long id[2];
  char more[TEXT];
  if (sock) zmq_close(sock);
  sock = zmq_socket(context, ZMQ_DEALER);
  zmq_setsockopt(sock, ZMQ_LINGER, &linger, sizeof linger);
  zmq_setsockopt(sock, ZMQ_RCVTIMEO, &wait, sizeof wait);
  if (zmq_connect(sock, address) || getrandom(id, sizeof id, 0) < 0) exit(2);
  cJSON_Delete(welcome), welcome = NULL, heard = beat_at = now();
  snprintf(more, sizeof more, "\"protocol_min\":1,\"protocol_max\":1,\"slots\":1,\"token\":\"%s\","
           "\"trainer\":\"c-%d\",\"session\":\"%016lx%016lx\"", token, (int)getpid(), *id, id[1]);
  put_held("HELLO", more);
}
static void train(void) {
  const cJSON *each, *job = cJSON_GetObjectItem(work, "job");
  char more[256];
  double x = -0.3;
  cJSON_ArrayForEach(each, cJSON_GetObjectItem(work, "params"))
    if (cJSON_IsNumber(each)) x += each->valuedouble;
  ++step, ++seq;
  snprintf(more, sizeof more, "\"seq\":%d,\"metrics\":{\"%s\":%.17g}", seq, word(job, "objective"),
           x * x + 1.0 / step);
  put_about("REPORT", reports[seq % WINDOW], more);
  next_step += number(cJSON_GetObjectItem(job, "config"), "delay_ms", 0) / 1000;
  if (step >= number(work, "until", 0)) end_with("reached");
}
static void on_message(const char* verb, const cJSON* body, const char* code) {
  if (!strcmp(verb, "WELCOME") && !welcome) {
    welcome = cJSON_Duplicate(body, 1);
    if (!names_ours(body, "keep")) hold(NULL);
    offer_all();
  } else if (!strcmp(verb, "ASSIGN") && welcome && !leaving) {
    const int newer = number(body, "trial", -1) == number(work, "trial", -2) &&
                      number(body, "attempt", 0) > number(work, "attempt", 0);
    if ((!work || newer) && number(body, "epoch", 0) >= number(welcome, "epoch", 0)) hold(body);
  } else if (!strcmp(verb, "ACK") && is_ours(body)) {
    if (number(body, "seq", 0) > acknowledged) acknowledged = (int)number(body, "seq", 0);
    printf("%.0f %.0f %d\n", number(body, "trial", 0), number(body, "attempt", 0), acknowledged);
    if (number(body, "done", 0) && end[0]) hold(NULL), offer_all();
  } else if (!strcmp(verb, "DECISION") && is_ours(body) && !end[0]) {
    if (*word(body, "action") != 'c') end_with(*word(body, "action") == 's' ? "stopped" : "paused");
  } else if (!strcmp(verb, "BEAT") || !strcmp(verb, "BYE")) {
    leaving = leaving || verb[1] == 'Y';
    if (names_ours(body, "drop") || !number(body, "drain", 1)) hold(NULL);
  } else if (!strcmp(verb, "ERROR")) {
    if (number(body, "fatal", 0)) fprintf(stderr, "refused: %s\n", code), exit(1);
    if (!strcmp(code, "not_welcome") && welcome) open_session(); /* it has been restarted */
    else if (!strcmp(code, "missing_reports")) offer_all();
    else if (is_ours(body)) hold(NULL); /* stale_attempt, conflict, malformed */
  }
}
static void receive(void) { /* a message, if one comes in time */
  static char frames[3][1 << 20]; /* no frame may be longer */
  int got = 0, more = 1, size = 0;
  for (size_t bytes = sizeof more; more; ++got) {
    char* frame = frames[got < 2 ? got : 2];
    if ((size = zmq_recv(sock, frame, sizeof *frames, 0)) < 0) return;
    frame[size < (int)sizeof *frames ? size : 0] = 0;
    zmq_getsockopt(sock, ZMQ_RCVMORE, &more, &bytes);
  }
  cJSON* body = cJSON_Parse(frames[2]);
  if (got >= 3 && body) on_message(frames[1], body, word(body, "code"));
  cJSON_Delete(body), heard = now();
}
int main(int argc, char** argv) {
  FILE* file = argc > 2 ? fopen(argv[2], "r") : NULL;
  if (argc < 2 || (argc > 2 && (!file || fscanf(file, "%127s", token) != 1))) return 2;
  address = argv[1], context = zmq_ctx_new(), watch = zmq_stopwatch_start(), setlinebuf(stdout);
  for (open_session(); work || !leaving;) {
    receive();
    if (work && !end[0] && seq - acknowledged < WINDOW && now() >= next_step) train();
    const double beat = number(welcome, "beat_ms", 1000) / 1000;
    if (now() - heard > 2.5 * beat) open_session(); /* nobody is there, or it only looks so */
    if (!welcome || now() - beat_at < beat) continue;
    beat_at = now(), put_held("BEAT", "\"epoch\":0"), offer_all();
  }
  put("BYE", "{\"reason\":\"done\",\"drain\":false}");
  return zmq_close(sock), zmq_ctx_term(context);
}
