/* Old cache files: which are removed, which never, and by several processes at once. */
#include "host/vulkan/cache_file.h"
#include "tests/support/test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OWN  "pipelines-10de-2335-91d38040-00112233-19c5ed6be5690e4f.bin"
#define TAIL "-00112233-aaaaaaaaaaaaaaaa.bin"
enum { DAY = 24 * 60 * 60, FIXED = 20 /* up to and with the dash behind the device */ };

static const unsigned char ours[8] = "vkdetpc\n";
static const cache_part magic = {ours, sizeof ours};
static char root[64];

static int folder_make(void **state)
{
    (void)state;
    (void)snprintf(root, sizeof root, "/tmp/vkdet-tidy-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static const char *in_root(const char *name)
{
    static char path[2][256];
    static unsigned turn;
    turn ^= 1;
    (void)snprintf(path[turn], sizeof path[turn], "%s/%s", root, name);
    return path[turn];
}

static void age(const char *name, int days)
{
    const struct timespec then = {time(NULL) - (time_t)days * DAY, 0};
    const struct timespec times[2] = {then, then};
    assert_int_equal(utimensat(AT_FDCWD, in_root(name), times, AT_SYMLINK_NOFOLLOW), 0);
}

static void put(const char *name, const char *text, int days)
{
    FILE *f = fopen(in_root(name), "wb");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    age(name, days);
}

static bool is_there(const char *name)
{
    struct stat st;
    return lstat(in_root(name), &st) == 0;
}

static void test_which(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
        int days;
        bool kept;
    } files[] = {
        {OWN, "vkdetpc\n", 400, true},
        {"pipelines-10de-2335-91d38040" TAIL, "vkdetpc\nand more", 31, false},
        {"pipelines-10de-2335-00000000" TAIL, "vkdetpc\n", 4000, false}, /* another driver */
        {"pipelines-10de-2335-91d38041" TAIL, "vkdetpc\n", 29, true},    /* in use */
        {"pipelines-10de-2335-91d38042" TAIL, "vkdetpc\n", -400, true},  /* of a clock gone wrong */
        {"pipelines-10de-2335-91d38043" TAIL, "vkdettn\nand more", 31, true},
        {"pipelines-10de-2335-91d38044" TAIL, "vkdetpc", 31, true},
        {"pipelines-10de-2335-91d38045" TAIL, "", 31, true},
        {"pipelines-10de-2336-91d38040" TAIL, "vkdetpc\n", 31, true}, /* another device */
        {"pipelines-10de-2335-91d3804g" TAIL, "vkdetpc\n", 31, true},
        {"pipelines-10de-2335-91D38040" TAIL, "vkdetpc\n", 31, true},
        {"pipelines-10de-2335-91d38040" TAIL ".part", "vkdetpc\n", 31, true},
        {"pipelines-10de-2335-91d380400-0112233-aaaaaaaaaaaaaaaa.bin", "vkdetpc\n", 31, true},
        {"pipelines-10de-2335-91d38040-00112233-aaaaaaaaaaaaaaaa.cin", "vkdetpc\n", 31, true},
        {"pipelines-10de-2335-.bin", "vkdetpc\n", 31, true},
        {"tuning-10de-2335-91d38040-0011223344556677.bin", "vkdettn\n", 400, true},
        {"photo.jpg", "vkdetpc\n", 400, true},
    };
    enum { COUNT = sizeof files / sizeof *files };
    static const char folder[] = "pipelines-10de-2335-91d38046" TAIL;
    static const char pipe_name[] = "pipelines-10de-2335-91d38047" TAIL;
    static const char link_name[] = "pipelines-10de-2335-91d38048" TAIL;
    for (size_t i = 0; i < COUNT; i++) {
        put(files[i].name, files[i].text, files[i].days);
    }
    assert_int_equal(mkdir(in_root(folder), 0700), 0);
    assert_int_equal(mkfifo(in_root(pipe_name), 0600), 0);
    assert_int_equal(symlink("photo.jpg", in_root(link_name)), 0);
    age(folder, 31);
    age(pipe_name, 31);
    age(link_name, 31);
    assert_int_equal(cache_folder_tidy(root, OWN, FIXED, &magic), 2);
    for (size_t i = 0; i < COUNT; i++) {
        if (is_there(files[i].name) != files[i].kept) {
            fail_msg("%s is %s", files[i].name, files[i].kept ? "gone" : "still there");
        }
        (void)unlink(in_root(files[i].name));
    }
    assert_int_equal(rmdir(in_root(folder)), 0);
    assert_int_equal(unlink(in_root(pipe_name)), 0);
    assert_int_equal(unlink(in_root(link_name)), 0);
    assert_int_equal(cache_folder_tidy(root, OWN, FIXED, &magic), 0);
    assert_int_equal(rmdir(root), 0);
    assert_int_equal(cache_folder_tidy(root, OWN, FIXED, &magic), 0); /* no folder */
}

/* Each removes what the others have not, and none minds. */
static void test_at_once(void **state)
{
    (void)state;
    enum { FILES = 300, PROCESSES = 4 };
    char name[128];
    pid_t children[PROCESSES];
    int removed = 0, pipes[2];
    for (int i = 0; i < FILES; i++) {
        (void)snprintf(name, sizeof name, "pipelines-10de-2335-%08x%s", (unsigned)i, TAIL);
        put(name, "vkdetpc\n", 31);
    }
    put(OWN, "vkdetpc\n", 31);
    assert_int_equal(pipe(pipes), 0);
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            const size_t mine = cache_folder_tidy(root, OWN, FIXED, &magic);
            _exit(write(pipes[1], &mine, sizeof mine) == (ssize_t)sizeof mine ? 0 : 1);
        }
    }
    for (int i = 0; i < PROCESSES; i++) {
        size_t mine = 0;
        int how = 0;
        assert_int_equal(waitpid(children[i], &how, 0), children[i]);
        assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 0);
        assert_int_equal(read(pipes[0], &mine, sizeof mine), sizeof mine);
        removed += (int)mine;
    }
    (void)close(pipes[0]);
    (void)close(pipes[1]);
    assert_int_equal(removed, FILES);
    assert_true(is_there(OWN));
    assert_int_equal(unlink(in_root(OWN)), 0);
    assert_int_equal(rmdir(root), 0);
}

/* What may not be removed stays, without a word. */
static void test_read_only(void **state)
{
    (void)state;
    static const char old[] = "pipelines-10de-2335-91d38040" TAIL;
    put(old, "vkdetpc\n", 31);
    assert_int_equal(chmod(root, 0500), 0);
    const size_t removed = cache_folder_tidy(root, OWN, FIXED, &magic);
    assert_int_equal(chmod(root, 0700), 0);
    assert_int_equal(removed, is_there(old) ? 0 : 1); /* root may all the same */
    (void)unlink(in_root(old));
    assert_int_equal(rmdir(root), 0);
}

static time_t changed(const char *name)
{
    struct stat st;
    assert_int_equal(stat(in_root(name), &st), 0);
    return st.st_mtime;
}

/* Who reads a file says so, once a day. */
static void test_used(void **state)
{
    (void)state;
    put(OWN, "vkdetpc\n", 20);
    const time_t then = changed(OWN);
    cache_file_used(in_root(OWN));
    assert_true(changed(OWN) >= then + 19 * (time_t)DAY);
    put(OWN, "vkdetpc\n", 0);
    const time_t today = changed(OWN);
    cache_file_used(in_root(OWN));
    assert_int_equal(changed(OWN), today);
    cache_file_used(in_root("none"));
    assert_int_equal(unlink(in_root(OWN)), 0);
    assert_int_equal(rmdir(root), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_which, folder_make),
        cmocka_unit_test_setup(test_at_once, folder_make),
        cmocka_unit_test_setup(test_read_only, folder_make),
        cmocka_unit_test_setup(test_used, folder_make),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
