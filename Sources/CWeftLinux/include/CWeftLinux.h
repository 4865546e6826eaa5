#pragma once
#include "exclusivity.h"
#include "file_state.h"
#include "original_destination.h"
#include "release_memory.h"
#include "unix_socket.h"
#include "wall_clock.h"
#include "launcher.h"
