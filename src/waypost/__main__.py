from waypost.cli.main import main

main(prog_name="waypost")
