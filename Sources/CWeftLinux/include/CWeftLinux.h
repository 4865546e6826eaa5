#pragma once
#include "original_destination.h"
#include "wall_clock.h"
#include "launcher.h"
