/* The parts of cli_fixture. Each returns an exit status. */
#ifndef TESTS_CLI_FIXTURE_H
#define TESTS_CLI_FIXTURE_H

int fixture_model(const char *folder);
int fixture_pictures(const char *folder);
int fixture_check_ndjson(const char *path);
int fixture_check_coco(const char *path);

#endif
