#pragma once
#include "exclusivity.h"
#include "original_destination.h"
#include "release_memory.h"
#include "wall_clock.h"
#include "launcher.h"
